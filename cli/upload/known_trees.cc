#include "cli/upload/known_trees.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "cli/base/files.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"
#include "common/os/fs.h"

namespace det::cli {
namespace {

constexpr int64_t kFileBytesMax = 4096;
constexpr char kFormat[] = "det-known-tree-1";
// Coarser than the clock of any file system that is in use.
constexpr absl::Duration kSettled = absl::Seconds(3);

std::string Hash(const std::string& text) {
  Sha256 hash;
  hash.Update(text);
  return hash.Finish();
}

bool IsSha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::string Fingerprint(const std::vector<TreeEntry>& entries, const std::string& rules) {
  Sha256 hash;
  // Lengths keep texts apart.
  const auto feed = [&hash](const std::string& text) {
    hash.Update(StrCat(text.size(), ":"));
    hash.Update(text);
  };
  feed(rules);
  for (const TreeEntry& entry : entries) {
    feed(entry.path);
    feed(entry.target);
    hash.Update(StrCat(static_cast<int>(entry.kind),
                       " ",
                       entry.mode,
                       " ",
                       entry.bytes,
                       " ",
                       entry.stamp.inode,
                       " ",
                       entry.stamp.modified_ns,
                       " ",
                       entry.stamp.changed_ns,
                       ";"));
  }
  return hash.Finish();
}

std::string KnownTrees::PathOf(const std::string& directory) const {
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::canonical(directory, error);
  return error ? "" : StrCat(folder_, "/", Hash(canonical.string()));
}

std::optional<KnownTree> KnownTrees::Find(const std::string& directory,
                                          const std::string& fingerprint) const {
  const std::string path = folder_.empty() ? "" : PathOf(directory);
  if (path.empty()) return std::nullopt;
  const absl::StatusOr<std::string> text = ReadFile(path, kFileBytesMax);
  if (!text.ok()) return std::nullopt;
  std::istringstream in(*text);
  std::string format, seen, end;
  KnownTree tree;
  in >> format >> seen >> tree.sha256 >> tree.files >> tree.bytes >> end;
  const bool whole = !in.fail() && format == kFormat && end == "end";
  if (!whole || seen != fingerprint || !IsSha256(tree.sha256)) return std::nullopt;
  return tree;
}

void KnownTrees::Keep(const std::string& directory,
                      const std::vector<TreeEntry>& entries,
                      const std::string& fingerprint,
                      const KnownTree& tree,
                      absl::Time now) const {
  const std::string path = folder_.empty() ? "" : PathOf(directory);
  const int64_t settled = absl::ToUnixNanos(now - kSettled);
  const bool fresh = std::any_of(entries.begin(), entries.end(), [&](const TreeEntry& entry) {
    return entry.stamp.modified_ns > settled || entry.stamp.changed_ns > settled;
  });
  if (path.empty() || fresh) return;
  if (!MakeDirs(folder_, 0700).ok()) return;
  const std::string text = StrCat(
      kFormat, "\n", fingerprint, "\n", tree.sha256, "\n", tree.files, " ", tree.bytes, "\nend\n");
  // Where it can't be kept the directory is read again the next time.
  AtomicWriteFileUnsynced(path, text, 0600).IgnoreError();
}

}  // namespace det::cli
