#pragma once

#include "det/api/v1/cluster.pb.h"

#include "master/rpc/deps.h"

namespace det::rpc {

// What the master finds when it looks after itself. May block.
void PutHealth(const Deps& deps, api::v1::GetHealthResponse* response);

}  // namespace det::rpc
