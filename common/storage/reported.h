#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/storage/paths.h"

// What others say is a checkpoint. Whoever reports one may name any folder, so nothing of it is
// removed unless the folder itself shows that it is that checkpoint. Any thread; blocks.
namespace det::storage {

struct Reported {
  FileMap files;                              // none: the report did not list them
  absl::Time since = absl::InfiniteFuture();  // nothing of it can be older
};

// A program's own folders. Checkpoints lie in none that holds the data or is below them, except for
// the one that is meant for them.
struct OffLimits {
  std::string data;         // "": nothing is
  std::string checkpoints;  // as it is by default; may be below the data
};
// FAILED_PRECONDITION (STORAGE_PROTECTED) for a place of checkpoints that must be none, by where it
// really is.
absl::Status CheckOffLimits(const OffLimits& off_limits, const std::string& directory);

// Do both paths lead to one folder, however they are written? Where it can't be looked at, what is
// written decides.
bool IsSameFolder(const std::string& one, const std::string& other);

// Removes the checkpoint that was reported so, or its files that match a pattern; gives what is
// left of it. All of the folder must be what was reported, with the same sizes; where the report
// listed nothing, the name must be a UUID and no file older than `since`. Else nothing goes:
// FAILED_PRECONDITION (CHECKPOINT_NOT_PROVEN) names the first thing that is amiss. Links are never
// followed. NOT_FOUND (CHECKPOINT_NOT_THERE) for the patterns alone: what is gone needs no removal.
struct Removal {
  std::string uuid;
  std::vector<std::string> globs;  // none: all of it
};
absl::StatusOr<FileMap> RemoveReported(const std::string& directory,
                                       const Removal& removal,
                                       const Reported& reported,
                                       const OffLimits& off_limits);

}  // namespace det::storage
