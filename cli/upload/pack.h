#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/base/files.h"
#include "cli/upload/walk.h"

namespace det::cli {

// A model directory as an uncompressed tar archive. The same tree makes the same bytes anywhere:
// names are sorted, owners are 0, times are whole seconds.
struct PackedTree {
  Fd archive;  // a temporary file without a name, at its beginning
  std::string sha256;
  int64_t archive_bytes = 0;
  int64_t files = 0;
  int64_t bytes = 0;  // of the files
};

// Leaves out what .detignore in `directory` says, and the default ignores. Errors as of WalkTree,
// and ABORTED for a file that shrinks while it is read.
absl::StatusOr<PackedTree> PackTree(const std::string& directory);

// The same of what WalkTree found.
absl::StatusOr<PackedTree> PackEntries(const std::string& directory,
                                       const std::vector<TreeEntry>& entries);

}  // namespace det::cli
