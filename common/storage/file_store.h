#pragma once

#include <memory>
#include <string>

#include "common/storage/store.h"

namespace det::storage {

// Checkpoints as folders of a directory, one each: ".tmp-UUID" until it is complete, ".gone-UUID"
// while it is deleted.
std::unique_ptr<CheckpointStore> MakeFileStore(const std::string& directory,
                                               const StoreOptions& options);

}  // namespace det::storage
