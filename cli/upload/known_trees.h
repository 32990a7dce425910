#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cli/upload/walk.h"

// What was packed before: a directory in which nothing changed need not be read to know the name of
// its archive.
namespace det::cli {

struct KnownTree {
  std::string sha256;
  int64_t files = 0;
  int64_t bytes = 0;
};

// A hash over everything that `lstat` tells of the entries (names, modes, sizes, inodes, times of
// change in nanoseconds) and over the rules that chose them.
std::string Fingerprint(const std::vector<TreeEntry>& entries, const std::string& rules);

// One small file a directory, in `folder`. Only a help: whatever is wrong with them (damaged, not
// writable, not there), nothing is known then. One thread; processes may share the folder.
class KnownTrees {
 public:
  // "" knows nothing and keeps nothing.
  explicit KnownTrees(std::string folder) : folder_(std::move(folder)) {}

  // What the directory's archive is called, if it has this fingerprint.
  std::optional<KnownTree> Find(const std::string& directory, const std::string& fingerprint) const;

  // Keeps it, unless something in the directory changed so lately that a further change might leave
  // its times as they are.
  void Keep(const std::string& directory,
            const std::vector<TreeEntry>& entries,
            const std::string& fingerprint,
            const KnownTree& tree,
            absl::Time now) const;

 private:
  std::string PathOf(const std::string& directory) const;

  const std::string folder_;
};

}  // namespace det::cli
