#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/storage/store.h"

namespace det::storage {

// In front of the name of a checkpoint that is being deleted.
inline constexpr std::string_view kGone = ".gone-";
// Leaves a file in the directory: when nothing else is left there, it still does not look like one
// that is not mounted.
absl::Status SignPlace(const std::string& directory);

// Checkpoints as folders of a directory, one each: ".tmp-UUID" until it is complete, ".gone-UUID"
// while it is deleted.
std::unique_ptr<CheckpointStore> MakeFileStore(const std::string& directory,
                                               const StoreOptions& options);

}  // namespace det::storage
