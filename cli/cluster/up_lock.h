#pragma once

#include "absl/status/statusor.h"

#include "cli/cluster/layout.h"
#include "common/os/lock_file.h"

namespace det::cli {

class Context;

// `det up` and `det down` of one cluster follow each other. Waits for its turn.
absl::StatusOr<LockFile> TakeTurn(Context& context, const Layout& layout);

}  // namespace det::cli
