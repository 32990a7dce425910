#pragma once

#include "det/api/v1/checkpoint.pb.h"
#include "det/api/v1/common.pb.h"
#include "det/api/v1/experiment.pb.h"
#include "det/api/v1/trial.pb.h"

#include "master/core/explain.h"
#include "master/store/read_store.h"

// Rows and core values as messages of the public API.
namespace det::rpc {

api::v1::Experiment ToProto(const store::ExperimentRow& row);
void PutDetails(const store::ExperimentDetails& details, api::v1::Experiment* out);
api::v1::Trial ToProto(const store::TrialRow& row);
api::v1::Checkpoint ToProto(const store::CheckpointRow& row);
api::v1::Transition ToProto(const store::TransitionRow& row);
api::v1::Reason ToProto(const core::Reason& reason);

// 1..max; 0 becomes `otherwise`.
int64_t Limit(int64_t asked, int64_t otherwise, int64_t max);

}  // namespace det::rpc
