#include "cli/upload/walk.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/files.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kIgnoreFileBytesMax = 1 << 20;
constexpr char kHowToExclude[] = "remove it, or leave it out by a line in .detignore";

absl::Status Refused(std::string_view path, std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument,
               "MODEL_DIRECTORY_REFUSED",
               StrCat(path, " ", why),
               kHowToExclude);
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (dir == nullptr) return FileError("read the directory", folder, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) return FileError("read the directory", folder, errno);
  return names;
}

bool IsWithin(const fs::path& path, const fs::path& root) {
  const auto [mismatch, unused] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return mismatch == root.end();
}

int64_t Nanos(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

class Walker {
 public:
  Walker(const std::string& root, const IgnoreRules& rules) : root_(root), rules_(rules) {}

  absl::StatusOr<std::vector<TreeEntry>> Walk() {
    std::error_code error;
    canonical_root_ = fs::canonical(root_, error);
    if (error) return FileError("read the directory", root_, error.value());
    // A list, not recursion: depth is the user's to choose.
    std::vector<std::string> folders = {""};
    while (!folders.empty()) {
      const std::string folder = std::move(folders.back());
      folders.pop_back();
      DET_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(Full(folder)));
      for (const std::string& name : names) {
        const std::string path = folder.empty() ? name : StrCat(folder, "/", name);
        DET_RETURN_IF_ERROR(Visit(path, &folders));
      }
    }
    std::sort(entries_.begin(), entries_.end(), [](const TreeEntry& a, const TreeEntry& b) {
      return a.path < b.path;
    });
    return std::move(entries_);
  }

 private:
  std::string Full(const std::string& path) const {
    return path.empty() ? root_ : StrCat(root_, "/", path);
  }

  absl::Status Visit(const std::string& path, std::vector<std::string>* folders) {
    struct stat info = {};
    if (lstat(Full(path).c_str(), &info) != 0) return FileError("read", Full(path), errno);
    if (rules_.Ignores(path, S_ISDIR(info.st_mode))) return absl::OkStatus();
    TreeEntry entry{.path = path,
                    .mode = info.st_mode & 0777U,
                    .modified_unix_seconds = info.st_mtim.tv_sec,
                    .stamp = {info.st_ino, Nanos(info.st_mtim), Nanos(info.st_ctim)}};
    if (S_ISDIR(info.st_mode)) {
      entry.kind = TreeEntry::Kind::kDirectory;
      folders->push_back(path);
    } else if (S_ISLNK(info.st_mode)) {
      entry.kind = TreeEntry::Kind::kLink;
      DET_ASSIGN_OR_RETURN(entry.target, LinkTarget(path));
    } else if (S_ISREG(info.st_mode)) {
      entry.bytes = info.st_size;
    } else {
      return Refused(Full(path), "is a socket, pipe or device, which can't be sent");
    }
    if (entries_.size() >= kTreeEntriesMax) {
      return Refused(root_, StrCat("holds more than ", kTreeEntriesMax, " files"));
    }
    entries_.push_back(std::move(entry));
    return absl::OkStatus();
  }

  // A link is sent as it is, so it has to mean the same elsewhere: relative, and inside. Both
  // readings of ".." are checked, by the text and by where the links on the way really lead.
  absl::StatusOr<std::string> LinkTarget(const std::string& path) const {
    std::error_code error;
    const fs::path target = fs::read_symlink(Full(path), error);
    if (error) return FileError("read the link", Full(path), error.value());
    const auto leads_out = [&](const fs::path& to) {
      return Refused(Full(path), StrCat("is a link to ", to.string(), ", out of the directory"));
    };
    if (target.is_absolute()) return leads_out(target);
    const fs::path by_text = (fs::path(path).parent_path() / target).lexically_normal();
    if (by_text.begin() != by_text.end() && *by_text.begin() == "..") return leads_out(target);
    const fs::path start = canonical_root_ / fs::path(path).parent_path();
    const fs::path really = fs::weakly_canonical(start / target, error);
    if (error) return FileError("follow the link", Full(path), error.value());
    if (!IsWithin(really, canonical_root_)) return leads_out(target);
    return target.string();
  }

  const std::string& root_;
  const IgnoreRules& rules_;
  fs::path canonical_root_;
  std::vector<TreeEntry> entries_;
};

}  // namespace

absl::StatusOr<IgnoreRules> ReadRules(const std::string& directory, std::string* text) {
  IgnoreRules rules;
  rules.Add(DefaultIgnores());
  std::string own;
  const std::string path = StrCat(directory, "/.detignore");
  if (access(path.c_str(), F_OK) == 0 || errno != ENOENT) {
    DET_ASSIGN_OR_RETURN(own, ReadFile(path, kIgnoreFileBytesMax));
    rules.Add(own);
  }
  if (text != nullptr) *text = StrCat(DefaultIgnores(), "\n", own);
  return rules;
}

absl::StatusOr<std::vector<TreeEntry>> WalkTree(const std::string& root, const IgnoreRules& rules) {
  return Walker(root, rules).Walk();
}

}  // namespace det::cli
