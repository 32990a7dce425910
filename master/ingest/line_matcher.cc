#include "master/ingest/line_matcher.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::ingest {
namespace {

constexpr std::string_view kShowsAConfiguration = "\"log_policies\":";

}  // namespace

absl::StatusOr<LineMatcher> LineMatcher::Compile(const std::vector<Policy>& policies) {
  LineMatcher matcher;
  for (const Policy& policy : policies) {
    absl::StatusOr<Pattern> pattern = Pattern::Compile(policy.pattern);
    if (!pattern.ok()) return Annotate(pattern.status(), StrCat("log policy ", policy.name));
    matcher.policies_.push_back({policy.name, *std::move(pattern)});
  }
  return matcher;
}

std::vector<std::string_view> LineMatcher::Match(std::string_view line) const {
  std::vector<std::string_view> names;
  for (const Compiled& policy : policies_) {
    if (policy.pattern.FoundIn(line)) names.push_back(policy.name);
  }
  if (!names.empty() && line.find(kShowsAConfiguration) != std::string_view::npos) names.clear();
  return names;
}

}  // namespace det::ingest
