#include "cli/download/copy_tree.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cause.h"
#include "cli/base/files.h"
#include "cli/upload/walk.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

// A new directory beside `destination`, so that it can be renamed; removed unless it was.
class Staging {
 public:
  static absl::StatusOr<Staging> Create(const std::string& destination) {
    const fs::path parent = fs::absolute(destination).lexically_normal().parent_path();
    std::error_code error;
    fs::create_directories(parent, error);
    if (error) return FileError("create the directory", parent.string(), error.value());
    std::string path = (parent / ".det-download-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) return FileError("create", path, errno);
    return Staging(path);
  }
  Staging(Staging&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~Staging() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

  absl::Status MoveTo(const std::string& destination) {
    // mkdtemp keeps others out; what has been copied is as open as any new directory.
    const mode_t mask = umask(0);
    umask(mask);
    if (chmod(path_.c_str(), 0777 & ~mask) != 0) return FileError("open up", path_, errno);
    if (rename(path_.c_str(), destination.c_str()) != 0) {
      return FileError("rename the copy to", destination, errno);
    }
    path_.clear();
    return absl::OkStatus();
  }

 private:
  explicit Staging(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

absl::Status CheckExpected(const std::string& source,
                           const std::map<std::string, int64_t>& expected,
                           const std::vector<TreeEntry>& entries) {
  std::map<std::string, int64_t> there;
  for (const TreeEntry& entry : entries) {
    if (entry.kind == TreeEntry::Kind::kFile) there[entry.path] = entry.bytes;
  }
  for (const auto& [path, bytes] : expected) {
    const auto at = there.find(path);
    if (at != there.end() && at->second == bytes) continue;
    const std::string what = at == there.end()
                                 ? std::string("is missing")
                                 : StrCat("has ", at->second, " bytes instead of ", bytes);
    return Error(absl::StatusCode::kDataLoss,
                 "CHECKPOINT_DAMAGED",
                 StrCat(source, " is not what was reported: ", path, " ", what));
  }
  return absl::OkStatus();
}

class Copier {
 public:
  Copier(const std::string& source, const std::string& target, const CopyOptions& options)
      : source_(source), target_(target), options_(options) {}

  absl::StatusOr<CopiedTree> Copy(const std::vector<TreeEntry>& entries) {
    for (const TreeEntry& entry : entries) {
      const std::string to = StrCat(target_, "/", entry.path);
      switch (entry.kind) {
        case TreeEntry::Kind::kDirectory:
          if (mkdir(to.c_str(), static_cast<mode_t>(entry.mode | 0700U)) != 0) {
            return FileError("create the directory", to, errno);
          }
          break;
        case TreeEntry::Kind::kLink:
          if (symlink(entry.target.c_str(), to.c_str()) != 0) {
            return FileError("create the link", to, errno);
          }
          break;
        case TreeEntry::Kind::kFile:
          DET_RETURN_IF_ERROR(CopyFile(entry, to));
          ++copied_.files;
          break;
      }
    }
    return copied_;
  }

 private:
  absl::Status CopyFile(const TreeEntry& entry, const std::string& to) {
    const std::string from = StrCat(source_, "/", entry.path);
    const Fd in(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!in.valid()) return FileError("read", from, errno);
    const Fd out(open(to.c_str(),
                      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                      static_cast<mode_t>(entry.mode | 0600U)));
    if (!out.valid()) return FileError("create", to, errno);
    while (true) {
      DET_ASSIGN_OR_RETURN(const size_t got, ReadFull(in, from, buffer_.data(), buffer_.size()));
      DET_RETURN_IF_ERROR(WriteFull(out, to, std::string_view(buffer_).substr(0, got)));
      copied_.bytes += static_cast<int64_t>(got);
      if (options_.progress && !options_.progress(copied_.bytes)) {
        return absl::CancelledError("the copy was stopped");
      }
      if (got < buffer_.size()) return absl::OkStatus();
    }
  }

  const std::string& source_;
  const std::string& target_;
  const CopyOptions& options_;
  CopiedTree copied_;
  std::string buffer_ = std::string(1 << 20, '\0');
};

absl::Status CheckFree(const std::string& destination) {
  std::error_code error;
  const bool exists = fs::exists(fs::symlink_status(destination, error));
  if (!exists || (fs::is_directory(destination, error) && fs::is_empty(destination, error))) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kAlreadyExists,
               "DESTINATION_EXISTS",
               StrCat(destination, " exists already"),
               "name another place with -o DIR");
}

// The walk's hints are for those who send a model directory.
absl::StatusOr<std::vector<TreeEntry>> Walk(const std::string& source) {
  absl::StatusOr<std::vector<TreeEntry>> entries = WalkTree(source, IgnoreRules());
  if (entries.ok()) return entries;
  const absl::Status& status = entries.status();
  return WithCause(Error(status.code(), ErrorReason(status), FromAbsl(status.message())),
                   ErrorCause(status));
}

}  // namespace

absl::StatusOr<CopiedTree> CopyTree(const std::string& source,
                                    const std::string& destination,
                                    const CopyOptions& options) {
  DET_RETURN_IF_ERROR(CheckFree(destination));
  DET_ASSIGN_OR_RETURN(const std::vector<TreeEntry> entries, Walk(source));
  DET_RETURN_IF_ERROR(CheckExpected(source, options.expected, entries));
  DET_ASSIGN_OR_RETURN(Staging staging, Staging::Create(destination));
  DET_ASSIGN_OR_RETURN(const CopiedTree copied,
                       Copier(source, staging.path(), options).Copy(entries));
  DET_RETURN_IF_ERROR(staging.MoveTo(destination));
  return copied;
}

}  // namespace det::cli
