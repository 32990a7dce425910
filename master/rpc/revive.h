#pragma once

#include "det/api/v1/experiment.pb.h"

#include "master/rpc/call.h"

// What is done to experiments that ended, which the core does not know any more: under a lock of
// the experiment, and after a barrier through the engine, so that its end is in the store.
namespace det::rpc {

grpc::ServerUnaryReactor* Continue(
    const Deps& deps, Wire<api::v1::ContinueExperimentRequest, api::v1::ExperimentResponse> call);

grpc::ServerUnaryReactor* Delete(
    const Deps& deps, Wire<api::v1::ExperimentRequest, api::v1::ExperimentResponse> call);

}  // namespace det::rpc
