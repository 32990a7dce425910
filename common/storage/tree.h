#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include <sys/types.h>

#include "common/os/unique_fd.h"
#include "common/storage/paths.h"

// Files below a folder, reached name by name: no link on the way is ever followed.
namespace det::storage {

// openat2 with RESOLVE_BENEATH, by hand: "a/b/c" below `root`. Give O_NOFOLLOW's effect for all of
// it. `shown` names the root in errors.
absl::StatusOr<UniqueFd> OpenBeneath(int root,
                                     const std::string& path,
                                     int flags,
                                     const std::string& shown);

// Unlinks a file or an empty folder; the folders that it leaves empty go, too. That it is not there
// is no error.
absl::Status RemoveBeneath(int root, const std::string& path, const std::string& shown);

struct Tree {
  FileMap files;                     // regular files
  std::vector<std::string> folders;  // parents before what they hold
  std::vector<std::string> others;   // links, sockets, devices
};
absl::StatusOr<Tree> ListTree(int root, const std::string& shown);

// A local folder whose files become those of a checkpoint. INVALID_ARGUMENT (NOT_A_FILE,
// UNSAFE_NAME) when something in it can't.
struct Upload {
  UniqueFd folder;
  FileMap files;
};
absl::StatusOr<Upload> OpenUpload(const std::string& folder);

// As OpenBeneath, for a new file (O_EXCL) whose folders are made where they are missing.
absl::StatusOr<UniqueFd> CreateBeneath(int root,
                                       const std::string& path,
                                       mode_t mode,
                                       const std::string& shown);

}  // namespace det::storage
