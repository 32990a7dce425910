#include "harness/cpp/checkpoint.h"

#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace det::harness {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Fail(const std::string& what, const fs::path& path, int error) {
  throw Error("can't " + what + " " + path.string() + ": " +
              std::generic_category().message(error));
}

// RFC 4122, version 4.
std::string RandomUuid() {
  std::random_device device;
  std::string uuid;
  for (int i = 0; i < 16; ++i) {
    unsigned byte = device() & 0xffU;
    if (i == 6) byte = (byte & 0x0fU) | 0x40U;
    if (i == 8) byte = (byte & 0x3fU) | 0x80U;
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", byte);
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += hex;
  }
  return uuid;
}

void Sync(const fs::path& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) Fail("open", path, errno);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // Some file systems have nothing to sync of a folder.
  if (error != 0 && error != EINVAL) Fail("sync", path, error);
}

// Brings the folder with all that is in it to disk; gives the files and their sizes.
std::map<std::string, int64_t> SyncTree(const fs::path& root) {
  std::map<std::string, int64_t> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_symlink() || (!entry.is_regular_file() && !entry.is_directory())) {
      throw Error("a checkpoint holds files and folders only, not " + entry.path().string());
    }
    Sync(entry.path(), entry.is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY);
    if (entry.is_directory()) continue;
    files[entry.path().lexically_relative(root).generic_string()] =
        static_cast<int64_t>(entry.file_size());
  }
  Sync(root, O_RDONLY | O_DIRECTORY);
  return files;
}

// A folder that goes away unless it is kept.
class Draft {
 public:
  explicit Draft(fs::path path) : path_(std::move(path)) { fs::create_directories(path_); }
  ~Draft() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void KeepAs(const fs::path& name) {
    fs::rename(path_, name);
    kept_ = true;
  }

 private:
  fs::path path_;
  bool kept_ = false;
};

}  // namespace

WrittenCheckpoint WriteCheckpoint(const fs::path& directory, const SaveFunction& save) {
  try {
    WrittenCheckpoint written{.uuid = RandomUuid(), .files = {}};
    const fs::path path = directory / (".tmp-" + written.uuid);
    Draft draft(path);
    save(path);
    written.files = SyncTree(path);
    draft.KeepAs(directory / written.uuid);
    Sync(directory, O_RDONLY | O_DIRECTORY);
    return written;
  } catch (const fs::filesystem_error& error) {
    throw Error(std::string("can't write a checkpoint: ") + error.what());
  }
}

}  // namespace det::harness
