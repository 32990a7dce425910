#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace det::cli {

struct CopiedTree {
  int64_t files = 0;
  int64_t bytes = 0;
};

struct CopyOptions {
  // Files that must be there, with their sizes; others are copied as well.
  std::map<std::string, int64_t> expected;
  // Told how many bytes are copied; false stops the copy (CANCELLED).
  std::function<bool(int64_t bytes)> progress;
};

// Copies a directory to `destination`, which must not exist or be empty. The copy appears under its
// name when it is complete, and leaves nothing behind when it fails. Links that lead out of
// `source` are refused, and so is a source that lacks what is expected.
absl::StatusOr<CopiedTree> CopyTree(const std::string& source,
                                    const std::string& destination,
                                    const CopyOptions& options);

}  // namespace det::cli
