#include "master/core/lifecycle.h"

namespace det::core {
namespace {

template <size_t N, class E>
std::string_view At(const std::array<std::string_view, N>& names, E e) {
  return names[static_cast<size_t>(e)];
}

}  // namespace

std::string_view Name(ExperimentState state) {
  static constexpr std::array<std::string_view, kExperimentStates> kNames = {"ACTIVE",
                                                                             "PAUSED",
                                                                             "STOPPING_COMPLETED",
                                                                             "STOPPING_CANCELED",
                                                                             "STOPPING_KILLED",
                                                                             "STOPPING_ERROR",
                                                                             "COMPLETED",
                                                                             "CANCELED",
                                                                             "ERROR",
                                                                             "DELETING",
                                                                             "DELETE_FAILED",
                                                                             "DELETED"};
  return At(kNames, state);
}

std::optional<ExperimentState> ExperimentStateOf(std::string_view name) {
  for (size_t i = 0; i < kExperimentStates; ++i) {
    const auto state = static_cast<ExperimentState>(i);
    if (Name(state) == name) return state;
  }
  return std::nullopt;
}

std::string_view Name(TrialState state) {
  static constexpr std::array<std::string_view, kTrialStates> kNames = {"ACTIVE",
                                                                        "STOPPING_COMPLETED",
                                                                        "STOPPING_CANCELED",
                                                                        "STOPPING_KILLED",
                                                                        "STOPPING_ERROR",
                                                                        "COMPLETED",
                                                                        "CANCELED",
                                                                        "ERROR"};
  return At(kNames, state);
}

std::string_view Name(AllocationState state) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "ASSIGNED", "PULLING", "STARTING", "RUNNING", "TERMINATED"};
  return At(kNames, state);
}

std::string_view Name(StopLevel level) {
  static constexpr std::array<std::string_view, 3> kNames = {"RUN", "PREEMPT", "KILL"};
  return At(kNames, level);
}

}  // namespace det::core
