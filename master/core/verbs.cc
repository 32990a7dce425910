#include "master/core/verbs.h"

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::core {
namespace {

// "experiment 7 is PAUSED (paused by ann): it can't be continued"
absl::Status Refuse(const VerbRule& rule,
                    std::string_view done,
                    std::string_view state,
                    const std::string& subject,
                    const std::string& because) {
  return Error(absl::StatusCode::kFailedPrecondition,
               rule.code,
               StrCat(subject,
                      " is ",
                      state,
                      because.empty() ? "" : StrCat(" (", because, ")"),
                      ": it can't be ",
                      done),
               rule.hint);
}

}  // namespace

std::string_view Name(ExperimentVerb verb) {
  static constexpr std::array<std::string_view, kExperimentVerbs> kNames = {"paused",
                                                                            "activated",
                                                                            "canceled",
                                                                            "killed",
                                                                            "configured",
                                                                            "edited",
                                                                            "forked",
                                                                            "continued",
                                                                            "archived",
                                                                            "unarchived",
                                                                            "deleted"};
  return kNames[static_cast<size_t>(verb)];
}

std::string_view Name(TrialVerb /*verb*/) {
  return "killed";
}

absl::Status Refusal(ExperimentVerb verb,
                     ExperimentState state,
                     const std::string& subject,
                     const std::string& because) {
  return Refuse(kExperimentVerbTable(verb, state), Name(verb), Name(state), subject, because);
}

absl::Status Refusal(TrialVerb verb,
                     TrialState state,
                     const std::string& subject,
                     const std::string& because) {
  return Refuse(kTrialVerbTable(verb, state), Name(verb), Name(state), subject, because);
}

}  // namespace det::core
