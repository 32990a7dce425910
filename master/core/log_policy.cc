#include <algorithm>

#include "common/base/strings.h"
#include "master/core/internal.h"
#include "master/core/limits.h"

namespace det::core::internal {
namespace {

// A policy speaks once, but one that excludes agents once an agent.
bool IsKnown(const Trial& trial, const LogMatch& match) {
  const bool by_agent = match.action == spec::LogAction::kExcludeNode;
  return std::any_of(trial.log_matches.begin(), trial.log_matches.end(), [&](const LogMatch& m) {
    return m.policy == match.policy && m.action == match.action &&
           (!by_agent || m.agent == match.agent);
  });
}

}  // namespace

// The run may be over: what its log says of a machine or of trying again holds for the next one.
absl::StatusOr<Events> DecideLogMatch(const State& state, const ReportLogMatch& command) {
  const Trial* trial = state.Find(command.trial);
  if (trial == nullptr || IsTerminal(trial->state)) return Events{};
  if (static_cast<int64_t>(trial->log_matches.size()) >= kLogMatchesMax) return Events{};
  if (IsKnown(*trial, command.match)) return Events{};
  LogMatch match = command.match;
  match.line.resize(CutUtf8(match.line, static_cast<size_t>(kLogLineBytesMax)).size());
  return Events{LogPolicyMatched{.id = trial->id, .match = std::move(match)}};
}

const LogMatch* CancelsRetries(const Trial& trial) {
  for (const LogMatch& match : trial.log_matches) {
    if (match.action == spec::LogAction::kCancelRetries) return &match;
  }
  return nullptr;
}

std::string NoAgentLeft(const State& state, const Trial& trial, const scheduler::Request& request) {
  if (request.excluded.empty()) return "";
  bool excluded = false;
  for (const auto& [id, agent] : state.agents) {
    const bool fits = !agent.lost && agent.pool == request.pool &&
                      static_cast<int64_t>(agent.slots.size()) >= request.slots;
    if (fits && !request.excluded.contains(id)) return "";
    excluded = excluded || fits;
  }
  if (!excluded) return "";  // the pool has no such agent: one may come
  const auto last =
      std::find_if(trial.log_matches.rbegin(), trial.log_matches.rend(), [](const LogMatch& match) {
        return match.action == spec::LogAction::kExcludeNode;
      });
  return StrCat("log policy ",
                QuoteJson(last->policy),
                " excludes every agent of pool ",
                QuoteJson(request.pool),
                " that has ",
                request.slots,
                request.slots == 1 ? " slot" : " slots",
                "; the last line was: ",
                last->line);
}

}  // namespace det::core::internal
