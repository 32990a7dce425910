#pragma once

#include <memory>

#include "common/s3/client.h"
#include "common/storage/store.h"

namespace det::storage {

// Checkpoints as the objects PREFIX/UUID/PATH, complete when PREFIX/UUID/.det-complete.json is
// there: it lists the files, is written last and deleted first.
absl::StatusOr<std::unique_ptr<CheckpointStore>> MakeS3Store(const S3& place,
                                                             const StoreOptions& options);

// How a store speaks to the place's server: for whoever needs the client itself.
s3::ClientOptions ClientOptionsOf(const S3& place, const StoreOptions& options);

}  // namespace det::storage
