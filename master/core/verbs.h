#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "master/core/lifecycle.h"

// What may be done to a thing in each of its states: tables of state x verb, complete by
// static_assert. Every door asks them, so a verb gets one answer wherever it comes from.
namespace det::core {

enum class ExperimentVerb : uint8_t {
  kPause,
  kActivate,
  kCancel,
  kKill,
  kConfigure,  // priority, weight, slots, pool, retention
  kEdit,       // name, description, notes, labels, project
  kFork,
  kContinue,
  kArchive,
  kUnarchive,
  kDelete,
};
inline constexpr size_t kExperimentVerbs = 11;

enum class TrialVerb : uint8_t { kKill };
inline constexpr size_t kTrialVerbs = 1;

enum class Answer : uint8_t {
  kNone,     // not in the table: a mistake that does not compile
  kAllowed,  // it is carried out
  kNoOp,     // it is so already: a success that changes nothing
  kRefused,  // with a code and a reason
};

struct VerbRule {
  Answer answer = Answer::kNone;
  std::string_view code;  // of a refusal, for machines
  std::string_view hint;  // what to do instead; may be empty
};

template <class Verb, size_t kVerbs, class State, size_t kStates>
struct VerbTable {
  std::array<std::array<VerbRule, kStates>, kVerbs> rules{};

  constexpr VerbTable& Add(Verb verb, std::initializer_list<State> states, VerbRule rule) {
    for (const State state : states)
      rules[static_cast<size_t>(verb)][static_cast<size_t>(state)] = rule;
    return *this;
  }
  constexpr const VerbRule& operator()(Verb verb, State state) const {
    return rules[static_cast<size_t>(verb)][static_cast<size_t>(state)];
  }
  constexpr bool IsComplete() const {
    for (const auto& row : rules) {
      for (const VerbRule& rule : row) {
        if (rule.answer == Answer::kNone) return false;
        if ((rule.answer == Answer::kRefused) == rule.code.empty()) return false;
      }
    }
    return true;
  }
};

namespace verbs_internal {
inline constexpr VerbRule kYes{Answer::kAllowed, "", ""};
inline constexpr VerbRule kSoAlready{Answer::kNoOp, "", ""};
constexpr VerbRule No(std::string_view code, std::string_view hint = "") {
  return {Answer::kRefused, code, hint};
}
}  // namespace verbs_internal

inline constexpr auto kExperimentVerbTable = [] {
  using enum ExperimentState;
  using enum ExperimentVerb;
  using verbs_internal::kSoAlready;
  using verbs_internal::kYes;
  using verbs_internal::No;
  constexpr auto kIsEnding = No("EXPERIMENT_ENDING", "det experiment kill ends it at once");
  constexpr auto kHasEnded =
      No("EXPERIMENT_ENDED", "det experiment continue takes it up again, fork makes a new one");
  constexpr auto kIsLive = No("EXPERIMENT_LIVE", "det experiment cancel or kill ends it first");
  constexpr auto kStillEnding = No("EXPERIMENT_ENDING", "wait for its end: det experiment wait");
  constexpr auto kGoing = No("EXPERIMENT_DELETING");
  constexpr auto kHalfGone =
      No("EXPERIMENT_DELETE_FAILED", "det experiment delete tries to delete the rest again");
  constexpr auto kGone = No("EXPERIMENT_DELETED");
  VerbTable<ExperimentVerb, kExperimentVerbs, ExperimentState, kExperimentStates> table;
  for (const ExperimentVerb verb : {kPause,
                                    kActivate,
                                    kCancel,
                                    kKill,
                                    kConfigure,
                                    kEdit,
                                    kFork,
                                    kContinue,
                                    kArchive,
                                    kUnarchive,
                                    kDelete}) {
    table.Add(verb, {kDeleting}, kGoing);
    table.Add(verb, {kDeleteFailed}, kHalfGone);
    table.Add(verb, {kDeleted}, kGone);
  }
  const auto stopping = {kStoppingCompleted, kStoppingCanceled, kStoppingKilled, kStoppingError};
  const auto ended = {kCompleted, kCanceled, kError};
  table.Add(kPause, {kActive}, kYes).Add(kPause, {kPaused}, kSoAlready);
  table.Add(kPause, stopping, kIsEnding).Add(kPause, ended, kHasEnded);
  table.Add(kActivate, {kPaused}, kYes).Add(kActivate, {kActive}, kSoAlready);
  table.Add(kActivate, stopping, kIsEnding).Add(kActivate, ended, kHasEnded);
  // Cancelling what is ending anyway changes nothing; what is being killed stays so.
  table.Add(kCancel, {kActive, kPaused}, kYes).Add(kCancel, stopping, kSoAlready);
  table.Add(kCancel, ended, kHasEnded).Add(kCancel, {kCanceled}, kSoAlready);
  table.Add(kKill, {kActive, kPaused}, kYes).Add(kKill, stopping, kYes);
  table.Add(kKill, {kStoppingKilled}, kSoAlready);
  table.Add(kKill, ended, kHasEnded).Add(kKill, {kCanceled}, kSoAlready);
  table.Add(kConfigure, {kActive, kPaused}, kYes).Add(kConfigure, stopping, kYes);
  table.Add(kConfigure, ended, kHasEnded);
  table.Add(kEdit, {kActive, kPaused}, kYes).Add(kEdit, stopping, kYes).Add(kEdit, ended, kYes);
  table.Add(kFork, {kActive, kPaused}, kYes).Add(kFork, stopping, kYes).Add(kFork, ended, kYes);
  table.Add(kContinue, {kActive}, kIsLive);
  table.Add(kContinue, {kPaused}, No("EXPERIMENT_LIVE", "det experiment activate lets it go on"));
  table.Add(kContinue, stopping, kStillEnding).Add(kContinue, ended, kYes);
  for (const ExperimentVerb verb : {kArchive, kDelete}) {
    table.Add(verb, {kActive, kPaused}, kIsLive).Add(verb, stopping, kStillEnding);
    table.Add(verb, ended, kYes);
  }
  // Nothing live is archived, so there is nothing to be undone.
  table.Add(kUnarchive, {kActive, kPaused}, kSoAlready).Add(kUnarchive, stopping, kSoAlready);
  table.Add(kUnarchive, ended, kYes);
  table.Add(kDelete, {kDeleting, kDeleted}, kSoAlready).Add(kDelete, {kDeleteFailed}, kYes);
  return table;
}();
static_assert(kExperimentVerbTable.IsComplete());

inline constexpr auto kTrialVerbTable = [] {
  using enum TrialState;
  using enum TrialVerb;
  VerbTable<TrialVerb, kTrialVerbs, TrialState, kTrialStates> table;
  table.Add(kKill,
            {kActive, kStoppingCompleted, kStoppingCanceled, kStoppingError},
            verbs_internal::kYes);
  table.Add(kKill, {kStoppingKilled, kCanceled}, verbs_internal::kSoAlready);
  table.Add(kKill, {kCompleted, kError}, verbs_internal::No("TRIAL_ENDED"));
  return table;
}();
static_assert(kTrialVerbTable.IsComplete());

// The state that a verb of the core's own leads to; kConfigure stays where it is.
constexpr ExperimentState TargetOf(ExperimentVerb verb) {
  switch (verb) {
    case ExperimentVerb::kActivate:
      return ExperimentState::kActive;
    case ExperimentVerb::kCancel:
      return ExperimentState::kStoppingCanceled;
    case ExperimentVerb::kKill:
      return ExperimentState::kStoppingKilled;
    default:
      return ExperimentState::kPaused;
  }
}

// The two tables agree: what a verb may do is a move, and what is a move a verb may do, but that
// cancelling never turns one end into another.
constexpr bool VerbsFollowMoves() {
  for (const ExperimentVerb verb : {ExperimentVerb::kPause,
                                    ExperimentVerb::kActivate,
                                    ExperimentVerb::kCancel,
                                    ExperimentVerb::kKill}) {
    for (size_t i = 0; i < kExperimentStates; ++i) {
      const auto from = static_cast<ExperimentState>(i);
      const bool allowed = kExperimentVerbTable(verb, from).answer == Answer::kAllowed;
      if (allowed != kExperimentMoves(from, TargetOf(verb))) return false;
    }
  }
  return true;
}
static_assert(VerbsFollowMoves());

// "paused": what the thing then is.
std::string_view Name(ExperimentVerb verb);
std::string_view Name(TrialVerb verb);

// The error of a refused verb: FAILED_PRECONDITION, with the rule's code and hint. `subject` is
// "experiment 7", `because` the reason of its state.
absl::Status Refusal(ExperimentVerb verb,
                     ExperimentState state,
                     const std::string& subject,
                     const std::string& because);
absl::Status Refusal(TrialVerb verb,
                     TrialState state,
                     const std::string& subject,
                     const std::string& because);

}  // namespace det::core
