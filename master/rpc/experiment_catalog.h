#pragma once

#include "det/api/v1/experiment.pb.h"

#include "master/rpc/deps.h"
#include "master/spec/experiment_spec.h"

// Of experiments what the catalogue has to say: where they go, who sees them, what is edited.
namespace det::rpc {

// What people may edit afterwards is held to the same rules from the start.
absl::Status CheckTexts(spec::ExperimentSpec* spec);

// What the caller names counts before what the configuration says.
absl::StatusOr<catalog::Placement> PlaceOf(const Deps& deps,
                                           const core::Principal& by,
                                           const api::v1::CreateExperimentRequest& request,
                                           const spec::ExperimentSpec& spec);

absl::StatusOr<core::CodeVersion> CodeOf(const api::v1::CreateExperimentRequest& request);

// Which experiments the caller asks for and sees.
absl::StatusOr<store::ReadStore::ExperimentScope> ScopeOf(
    const Deps& deps, const core::Principal& by, const api::v1::ListExperimentsRequest& request);

// Each by itself: a result an experiment.
absl::Status EditEach(const Deps& deps,
                      const core::Principal& by,
                      const api::v1::EditExperimentsRequest& request,
                      api::v1::EditExperimentsResponse* response);

}  // namespace det::rpc
