#pragma once

#include "absl/status/statusor.h"
#include "det/api/v1/experiment.pb.h"

#include "master/rpc/call.h"

namespace det::rpc {

// The request of a fork with what it leaves to its parent: the configuration, as it is in effect,
// with the project, and the model directory. Any other request as it is. Blocks on the store.
absl::StatusOr<api::v1::CreateExperimentRequest> WithParent(
    const Deps& deps, const core::Principal& by, const api::v1::CreateExperimentRequest& request);

}  // namespace det::rpc
