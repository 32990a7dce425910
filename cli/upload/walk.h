#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/upload/ignore.h"

namespace det::cli {

struct TreeEntry {
  enum class Kind { kFile, kDirectory, kLink };
  std::string path;  // from the root, with slashes
  Kind kind = Kind::kFile;
  uint32_t mode = 0;  // permission bits
  int64_t modified_unix_seconds = 0;
  int64_t bytes = 0;   // of a file
  std::string target;  // of a link
  // What changes when its content does: inode, size, and the times of both in nanoseconds.
  struct Stamp {
    uint64_t inode = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;
  };
  Stamp stamp = {};
};

// A directory tree may hold that many entries; a larger one was hardly meant.
inline constexpr size_t kTreeEntriesMax = 200'000;

// What the master's own ignores and .detignore in `directory` leave out. `text`, where it is given,
// becomes all that they say.
absl::StatusOr<IgnoreRules> ReadRules(const std::string& directory, std::string* text = nullptr);

// What a model directory holds but for what `rules` leave out, sorted by path. Links are not
// followed. Errors name the path: unreadable, a socket or device, a link that leads out of the
// directory, too many entries.
absl::StatusOr<std::vector<TreeEntry>> WalkTree(const std::string& root, const IgnoreRules& rules);

}  // namespace det::cli
