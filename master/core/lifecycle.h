#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

// The states of things and the moves between them: tables, complete by construction. Every move
// that Apply makes is checked against them.
namespace det::core {

enum class ExperimentState : uint8_t {
  kActive,
  kPaused,
  kStoppingCompleted,
  kStoppingCanceled,
  kStoppingKilled,
  kStoppingError,
  kCompleted,
  kCanceled,
  kError,
  // Of an experiment that ended and goes: the store alone knows these, the core never moves to
  // them.
  kDeleting,
  kDeleteFailed,
  kDeleted,
};
inline constexpr size_t kExperimentStates = 12;

enum class TrialState : uint8_t {
  kActive,
  kStoppingCompleted,
  kStoppingCanceled,
  kStoppingKilled,
  kStoppingError,
  kCompleted,
  kCanceled,
  kError,
};
inline constexpr size_t kTrialStates = 8;

enum class TaskState : uint8_t { kIdle, kQueued, kAllocated };

// Only ever forward.
enum class AllocationState : uint8_t { kAssigned, kPulling, kStarting, kRunning, kTerminated };

// What the master wants of a running allocation. Only ever harder.
enum class StopLevel : uint8_t {
  kRun,
  kPreempt,  // save and leave; the deadline turns it into kKill
  kKill,
};

template <class E, size_t N>
struct Moves {
  std::array<std::array<bool, N>, N> allowed{};
  constexpr Moves& Add(E from, std::initializer_list<E> to) {
    for (const E e : to) allowed[static_cast<size_t>(from)][static_cast<size_t>(e)] = true;
    return *this;
  }
  constexpr bool operator()(E from, E to) const {
    return allowed[static_cast<size_t>(from)][static_cast<size_t>(to)];
  }
};

inline constexpr auto kExperimentMoves = [] {
  using enum ExperimentState;
  Moves<ExperimentState, kExperimentStates> moves;
  moves
      .Add(kActive,
           {kPaused, kStoppingCompleted, kStoppingCanceled, kStoppingKilled, kStoppingError})
      .Add(kPaused,
           {kActive, kStoppingCompleted, kStoppingCanceled, kStoppingKilled, kStoppingError})
      .Add(kStoppingCompleted, {kCompleted, kStoppingError, kStoppingKilled})
      .Add(kStoppingCanceled, {kCanceled, kStoppingKilled, kStoppingError})
      .Add(kStoppingKilled, {kCanceled})
      .Add(kStoppingError, {kError, kStoppingKilled});
  return moves;
}();

inline constexpr auto kTrialMoves = [] {
  using enum TrialState;
  Moves<TrialState, kTrialStates> moves;
  moves
      .Add(kActive,
           {kStoppingCompleted,
            kStoppingCanceled,
            kStoppingKilled,
            kStoppingError,
            kCompleted,
            kError})
      .Add(kStoppingCompleted,
           {kStoppingCanceled, kStoppingKilled, kStoppingError, kCompleted, kError})
      .Add(kStoppingCanceled, {kStoppingKilled, kStoppingError, kCanceled})
      .Add(kStoppingKilled, {kCanceled})
      .Add(kStoppingError, {kStoppingKilled, kError});
  return moves;
}();

constexpr bool IsTerminal(ExperimentState state) {
  return state >= ExperimentState::kCompleted;
}
constexpr bool IsTerminal(TrialState state) {
  return state >= TrialState::kCompleted;
}
constexpr bool IsStopping(ExperimentState state) {
  return state >= ExperimentState::kStoppingCompleted && state <= ExperimentState::kStoppingError;
}
constexpr bool IsStopping(TrialState state) {
  return state >= TrialState::kStoppingCompleted && state <= TrialState::kStoppingError;
}

// Every state but the terminal ones has a way out, and no terminal one has.
template <class E, size_t N>
constexpr bool EveryStateLeads(const Moves<E, N>& moves) {
  for (size_t from = 0; from < N; ++from) {
    bool leads = false;
    for (size_t to = 0; to < N; ++to) leads = leads || moves.allowed[from][to];
    if (leads == IsTerminal(static_cast<E>(from))) return false;
  }
  return true;
}
static_assert(EveryStateLeads(kExperimentMoves));
static_assert(EveryStateLeads(kTrialMoves));

// "ACTIVE", "STOPPING_CANCELED", ...: the names of Determined's API.
std::string_view Name(ExperimentState state);
// The inverse; nothing for what is no such name.
std::optional<ExperimentState> ExperimentStateOf(std::string_view name);
std::string_view Name(TrialState state);
std::string_view Name(AllocationState state);
std::string_view Name(StopLevel level);

}  // namespace det::core
