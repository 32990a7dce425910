#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "cli/client/client.h"
#include "cli/download/copy_tree.h"

namespace det::cli {

class Context;

// Brings a checkpoint, as GetCheckpoint tells of it, to the directory `destination`, which appears
// when it is complete. Errors: CANCELLED after Ctrl-C; ALREADY_EXISTS; FAILED_PRECONDITION (reason
// CHECKPOINT_NOT_VISIBLE) where its files can't be seen from this machine; those of the store.
absl::StatusOr<CopiedTree> FetchCheckpoint(Context& context,
                                           const api::Checkpoint& checkpoint,
                                           const std::string& destination);

}  // namespace det::cli
