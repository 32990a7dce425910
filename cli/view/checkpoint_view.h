#pragma once

#include <vector>

#include "cli/client/api_fwd.h"
#include "cli/format/table.h"

namespace det::cli {

Table CheckpointTable(const std::vector<api::Checkpoint>& checkpoints);

}  // namespace det::cli
