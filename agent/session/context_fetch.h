#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "agent/session/channel.h"

namespace det::agent {

// Fetches a model directory's archive into a file, checked against its name; the file appears
// whole. kNotFound: the master has no such context. Blocks.
absl::Status FetchContext(const MasterAddress& address,
                          const std::string& sha256,
                          const std::string& path);

// In hexadecimal.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace det::agent
