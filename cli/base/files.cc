#include "cli/base/files.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "cli/base/cause.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) close(fd_);
  fd_ = other.Release();
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

int Fd::Release() {
  return std::exchange(fd_, -1);
}

absl::Status FileError(std::string_view what, std::string_view path, int error_number) {
  const bool missing = error_number == ENOENT || error_number == ENOTDIR;
  return WithCause(Error(absl::StatusCode::kUnknown,
                         missing ? "FILE_NOT_FOUND" : "FILE_ERROR",
                         StrCat("cannot ", what, " ", path)),
                   std::strerror(error_number));
}

absl::StatusOr<size_t> ReadFull(const Fd& fd, std::string_view path, char* buffer, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd.get(), buffer + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

absl::Status WriteFull(const Fd& fd, std::string_view path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return FileError("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t bytes_max) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FileError("read", path, errno);
  std::string content;
  std::string chunk(64 << 10, '\0');
  while (true) {
    DET_ASSIGN_OR_RETURN(const size_t got, ReadFull(fd, path, chunk.data(), chunk.size()));
    content.append(chunk, 0, got);
    if (static_cast<int64_t>(content.size()) > bytes_max) {
      return Error(absl::StatusCode::kInvalidArgument,
                   "FILE_TOO_LARGE",
                   StrCat(path, " is larger than ", bytes_max, " bytes"));
    }
    if (got < chunk.size()) return content;
  }
}

absl::StatusOr<Fd> OpenTemporary() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = StrCat(folder != nullptr && *folder != '\0' ? folder : "/tmp", "/det-XXXXXX");
  Fd fd(mkostemp(path.data(), O_CLOEXEC));
  if (!fd.valid()) return FileError("create a temporary file at", path, errno);
  unlink(path.c_str());
  return fd;
}

}  // namespace det::cli
