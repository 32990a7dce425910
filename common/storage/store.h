#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/clock/clock.h"
#include "common/s3/credentials.h"
#include "common/storage/paths.h"
#include "common/storage/place.h"
#include "common/storage/reported.h"

namespace det::storage {

// Told of bytes as they are moved, from several threads perhaps.
using Progress = std::function<void(int64_t bytes)>;

struct Size {
  int64_t files = 0;
  int64_t bytes = 0;
};

// The checkpoints of one place. A checkpoint counts only when it is complete: what is on its way up
// or down, or was left by somebody who died, is never listed. Names are checked everywhere
// (UNSAFE_NAME), and links are never followed. Every method blocks; any thread. Errors besides
// those of OsError (DISK_FULL, ...) and s3::Client: NOT_FOUND (CHECKPOINT_NOT_THERE),
// FAILED_PRECONDITION (STORAGE_NOT_VISIBLE): the place itself can't be seen from here, CANCELLED.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;

  // All files of a complete checkpoint.
  virtual absl::StatusOr<FileMap> List(const std::string& uuid) const = 0;
  absl::StatusOr<Size> Stat(const std::string& uuid) const;

  // Copies a file to `destination`, which appears under its name when it is whole.
  virtual absl::Status Read(const std::string& uuid,
                            const std::string& path,
                            const std::string& destination,
                            const Progress& progress) const = 0;

  // Brings all files of a local folder to the store as files of a checkpoint that is not complete
  // yet. Of several ranks each may add its own; gives those of this call. INVALID_ARGUMENT
  // (NOT_A_FILE) when the folder holds anything but files and folders.
  virtual absl::StatusOr<FileMap> Add(const std::string& uuid,
                                      const std::string& folder,
                                      const Progress& progress) const = 0;
  // Makes a checkpoint of what was added, durably. `files` are those of all ranks.
  virtual absl::Status Complete(const std::string& uuid, const FileMap& files) const = 0;
  // Takes away what was added and will not be completed.
  virtual absl::Status Abandon(const std::string& uuid) const = 0;
  // Add and Complete, or else Abandon.
  absl::StatusOr<FileMap> Write(const std::string& uuid,
                                const std::string& folder,
                                const Progress& progress) const;

  // The whole checkpoint, complete or not. It stops counting before its first file goes. That it is
  // not there is no error, unless the whole place looks as if it were not there: an empty folder is
  // what is left when a file system is not mounted.
  virtual absl::Status Delete(const std::string& uuid) const = 0;
  // Some of its files; those that are not there count as deleted.
  virtual absl::Status DeleteFiles(const std::string& uuid,
                                   const std::vector<std::string>& paths) const = 0;
  // For whoever did not write it: removes the checkpoint that was reported so, or some of its
  // files, as RemoveReported does; gives what is left. In a bucket what lies below the name is the
  // checkpoint: agents alone write there, and list what they wrote.
  virtual absl::StatusOr<FileMap> DeleteReported(const Removal& removal,
                                                 const Reported& reported) const;
  // The files that match one of the patterns (MatchesGlob); gives what is left.
  absl::StatusOr<FileMap> DeleteMatching(const std::string& uuid,
                                         const std::vector<std::string>& globs) const;

  // Copies all files, or those that `wanted` names, to a new folder `destination`, which appears
  // when it is whole and holds them with these sizes: DATA_LOSS (CHECKPOINT_DAMAGED) else.
  absl::Status Fetch(const std::string& uuid,
                     const FileMap& wanted,
                     const std::string& destination,
                     const Progress& progress) const;
};

struct StoreOptions {
  const Clock* clock = nullptr;  // outlives the store
  s3::Environment environment = s3::ProcessEnvironment();
  s3::SecretLookup secrets;                   // of the cluster; none: they can't be had here
  OffLimits off_limits;                       // for DeleteReported
  const std::atomic<bool>* cancel = nullptr;  // ends what is under way when true
  absl::Duration patience = absl::Minutes(2);
  int64_t part_bytes = int64_t{16} << 20;  // of uploads
};

// INVALID_ARGUMENT (INVALID_STORAGE). Nothing is looked at yet.
absl::StatusOr<std::unique_ptr<CheckpointStore>> OpenStore(const Place& place,
                                                           const StoreOptions& options);

}  // namespace det::storage
