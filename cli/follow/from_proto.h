#pragma once

#include "cli/client/api_fwd.h"
#include "cli/follow/snapshot.h"

namespace det::cli::follow {

Snapshot FromProto(const api::WatchExperimentResponse& response);

}  // namespace det::cli::follow
