#pragma once

#include <string>

#include "absl/status/status.h"

namespace det {

struct UnpackLimits {
  int64_t bytes_max = int64_t{64} << 30;  // of all files together, holes included
  int64_t files_max = 1'000'000;
};

// Unpacks a tar archive into a folder that is there and empty. The archive is not trusted: whatever
// would reach out of the folder (absolute or ".." names, links that lead out, writing through
// links), devices, sockets and pipes, set-uid bits and owners, and what is larger than the bounds
// are refused or, for bits and owners, left out. kInvalidArgument names the entry; part of the
// archive may then be there. Any other error is this machine's fault (a full disk, say).
absl::Status UnpackTar(const std::string& archive,
                       const std::string& directory,
                       const UnpackLimits& limits = {});

}  // namespace det
