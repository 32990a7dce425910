#include "master/ingest/log_matcher.h"

#include <re2/re2.h>
#include <re2/set.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/log/log.h"
#include "master/ingest/limits.h"

namespace det::ingest {
namespace {

// A trial that prints its own configuration prints the patterns too.
constexpr std::string_view kConfigMarker = "\"log_policies\":";

RE2::Options PatternOptions() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(RE2::Options::EncodingLatin1);  // a log is bytes
  options.set_max_mem(kPatternMemoryMax);
  return options;
}

std::string KeyOf(const std::vector<spec::LogPolicySpec>& policies) {
  std::string key;
  for (const spec::LogPolicySpec& policy : policies) {
    StrAppend(key,
              QuoteJson(policy.name),
              QuoteJson(policy.pattern),
              static_cast<int>(policy.action),
              "\n");
  }
  return key;
}

const std::string& NameOf(const spec::LogPolicySpec& policy) {
  return policy.name.empty() ? policy.pattern : policy.name;
}

}  // namespace

struct LogMatcher::Compiled {
  std::vector<spec::LogPolicySpec> policies;  // by the index of their pattern
  std::unique_ptr<RE2::Set> patterns;         // null: there is none
};

LogMatcher::LogMatcher(Load load) : load_(std::move(load)) {}
LogMatcher::~LogMatcher() = default;

std::shared_ptr<const LogMatcher::Compiled> LogMatcher::Compile(
    const std::vector<spec::LogPolicySpec>& policies) {
  auto compiled = std::make_shared<Compiled>();
  auto patterns = std::make_unique<RE2::Set>(PatternOptions(), RE2::UNANCHORED);
  for (const spec::LogPolicySpec& policy : policies) {
    if (policy.pattern.empty()) continue;
    std::string error;
    if (patterns->Add(policy.pattern, &error) < 0) {
      LogWarning("a log policy's pattern can't be used",
                 {{"pattern", policy.pattern}, {"cause", error}});
      continue;
    }
    compiled->policies.push_back(policy);
  }
  if (!compiled->policies.empty() && patterns->Compile()) compiled->patterns = std::move(patterns);
  return compiled;
}

absl::StatusOr<std::shared_ptr<const LogMatcher::Compiled>> LogMatcher::PoliciesOf(TrialId trial) {
  {
    MutexLock lock(mutex_);
    const auto known = trials_.find(trial);
    if (known != trials_.end()) return known->second;
  }
  DET_ASSIGN_OR_RETURN(const std::vector<spec::LogPolicySpec> policies, load_(trial));
  const std::string key = KeyOf(policies);
  MutexLock lock(mutex_);
  // What is forgotten is loaded again; what is told twice the core knows.
  if (static_cast<int64_t>(trials_.size()) >= kTrialsMatchedMax) trials_.clear();
  if (static_cast<int64_t>(compiled_.size()) >= kPatternSetsMax) compiled_.clear();
  if (static_cast<int64_t>(told_.size()) >= kTrialsMatchedMax) told_.clear();
  std::shared_ptr<const Compiled>& compiled = compiled_[key];
  if (compiled == nullptr) compiled = Compile(policies);
  trials_[trial] = compiled;
  return compiled;
}

bool LogMatcher::Tell(AllocationId run, const std::string& policy) {
  MutexLock lock(mutex_);
  return told_.emplace(run, policy).second;
}

bool LogMatcher::AnyTold(AllocationId run) {
  MutexLock lock(mutex_);
  const auto first = told_.lower_bound({run, ""});
  return first != told_.end() && first->first == run;
}

absl::StatusOr<LogMatcher::Found> LogMatcher::Match(const Shipment& shipment) {
  Found found;
  if (shipment.logs.empty()) return found;
  DET_ASSIGN_OR_RETURN(const auto compiled, PoliciesOf(shipment.trial));
  if (compiled->patterns == nullptr) return found;
  std::vector<int> which;
  for (const LogRecord& record : shipment.logs) {
    if (record.text.find(kConfigMarker) != std::string::npos) continue;
    which.clear();
    if (!compiled->patterns->Match(record.text, &which)) continue;
    for (const int index : which) {
      const spec::LogPolicySpec& policy = compiled->policies[static_cast<size_t>(index)];
      if (!Tell(shipment.allocation, NameOf(policy))) continue;
      found.matches.push_back({.allocation = shipment.allocation,
                               .trial = shipment.trial,
                               .match = {.policy = NameOf(policy),
                                         .action = policy.action,
                                         .agent = shipment.agent,
                                         .line = record.text}});
    }
  }
  found.any_told = AnyTold(shipment.allocation);
  return found;
}

void LogMatcher::Forget(const core::ReportLogMatch& match) {
  MutexLock lock(mutex_);
  told_.erase({match.allocation, match.match.policy});
}

}  // namespace det::ingest
