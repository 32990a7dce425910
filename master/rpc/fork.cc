#include "master/rpc/fork.h"

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::rpc {

absl::StatusOr<api::v1::CreateExperimentRequest> WithParent(
    const Deps& deps, const core::Principal& by, const api::v1::CreateExperimentRequest& request) {
  api::v1::CreateExperimentRequest whole = request;
  if (request.parent() == 0) return whole;
  const ExperimentId parent(request.parent());
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, parent));
  DET_ASSIGN_OR_RETURN(const ended::Standing standing, deps.ended.Where(parent));
  using core::ExperimentVerb;
  if (core::kExperimentVerbTable(ExperimentVerb::kFork, standing.state).answer ==
      core::Answer::kRefused) {
    return ended::Refusal(ExperimentVerb::kFork, parent, standing);
  }
  DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps.store.Experiment(parent));
  if (whole.config().empty()) {
    DET_ASSIGN_OR_RETURN(*whole.mutable_config(), deps.store.EffectiveConfig(parent));
    whole.set_config_name(StrCat("experiment ", parent.value()));
    // Where the parent is now; what the caller overrides comes after it.
    whole.clear_overrides();
    whole.add_overrides(StrCat("workspace=", QuoteJson(row.workspace)));
    whole.add_overrides(StrCat("project=", QuoteJson(row.project)));
    whole.mutable_overrides()->MergeFrom(request.overrides());
  }
  if (whole.context_sha256().empty()) whole.set_context_sha256(row.context);
  return whole;
}

}  // namespace det::rpc
