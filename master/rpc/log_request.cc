#include "master/rpc/log_request.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/ingest/log_level.h"
#include "master/ingest/log_record.h"

namespace det::rpc {
namespace {

// The place of a name in a table whose first entry is no name.
template <size_t kNames>
absl::StatusOr<int> Numbered(const std::array<std::string_view, kNames>& names,
                             std::string_view what,
                             const std::string& name) {
  const auto* const at = std::find(names.begin() + 1, names.end(), name);
  if (at != names.end()) return static_cast<int>(at - names.begin());
  std::string reason = "UNKNOWN_";
  for (const char c : what) reason.push_back(static_cast<char>(std::toupper(c)));
  return Error(absl::StatusCode::kInvalidArgument,
               reason,
               StrCat("\"", name, "\" is no ", what, " of log lines"),
               StrCat("there are ", StrJoin(std::vector(names.begin() + 1, names.end()), ", ")));
}

template <size_t kNames>
std::string_view NameOf(const std::array<std::string_view, kNames>& names, int number) {
  return number > 0 && number < static_cast<int>(kNames) ? names[static_cast<size_t>(number)] : "";
}

absl::Status BadToken() {
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_TOKEN",
               "the page token is none that this call gave out",
               "begin without one");
}

}  // namespace

absl::StatusOr<store::LogFilter> FromProto(const api::v1::LogFilter& filter) {
  store::LogFilter out;
  for (const std::string& source : filter.sources()) {
    DET_ASSIGN_OR_RETURN(const int number, Numbered(ingest::kLogSourceNames, "source", source));
    out.sources.push_back(number);
  }
  if (!filter.min_level().empty()) {
    DET_ASSIGN_OR_RETURN(out.min_level,
                         Numbered(ingest::kLogLevelNames, "level", filter.min_level()));
  }
  out.ranks.assign(filter.ranks().begin(), filter.ranks().end());
  out.runs.assign(filter.runs().begin(), filter.runs().end());
  if (filter.since_unix_nanos() != 0) out.since = absl::FromUnixNanos(filter.since_unix_nanos());
  if (filter.until_unix_nanos() != 0) out.until = absl::FromUnixNanos(filter.until_unix_nanos());
  if (out.since.has_value() && out.until.has_value() && *out.since >= *out.until) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_RANGE",
                 "the time until which lines are wanted is not after the one since which they are");
  }
  if (!filter.pattern().empty()) {
    DET_ASSIGN_OR_RETURN(out.pattern,
                         Pattern::Compile(filter.pattern(), {.ignore_case = filter.ignore_case()}));
  }
  return out;
}

void ToProto(const store::TrialLog& log, const store::LogRow& row, api::v1::LogLine* line) {
  line->set_trial(log.trial.value());
  line->set_run(row.run);
  line->set_rank(static_cast<int32_t>(row.rank));
  line->set_at_unix_nanos(absl::ToUnixNanos(row.at));
  line->set_source(std::string(NameOf(ingest::kLogSourceNames, row.source)));
  line->set_level(std::string(NameOf(ingest::kLogLevelNames, row.level)));
  line->set_text(row.line);
  line->set_partial(row.partial);
  line->set_dropped(row.dropped);
  line->set_line(row.seq);
  for (const store::LogPart& part : log.parts) {
    if (part.allocation == row.allocation) line->set_agent(part.agent);
  }
}

std::string TokenOf(const store::LogPosition& position) {
  return StrCat(position.allocation.value(),
                ".",
                position.rank,
                ".",
                position.place.seq,
                ".",
                position.place.note);
}

absl::StatusOr<store::LogPosition> PositionOf(std::string_view token) {
  std::array<int64_t, 4> numbers{};
  const char* at = token.data();
  const char* const end = at + token.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return BadToken();
    const auto read = std::from_chars(at, end, numbers[i]);
    if (read.ec != std::errc()) return BadToken();
    at = read.ptr;
  }
  if (at != end) return BadToken();
  return store::LogPosition{AllocationId(numbers[0]), numbers[1], {numbers[2], numbers[3]}};
}

}  // namespace det::rpc
