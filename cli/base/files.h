#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace det::cli {

// A file descriptor, closed at the end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();

 private:
  int fd_ = -1;
};

// "cannot read model/data.bin" with the reason of errno as its cause. NOT_FOUND for what isn't
// there, else FAILED_PRECONDITION.
absl::Status FileError(std::string_view what, std::string_view path, int error_number);

// Errors name the file; one larger than `bytes_max` is an error.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t bytes_max);

// Reads until `size` bytes or the end of the file; gives how many there were.
absl::StatusOr<size_t> ReadFull(const Fd& fd, std::string_view path, char* buffer, size_t size);
absl::Status WriteFull(const Fd& fd, std::string_view path, std::string_view bytes);

// An open file without a name, in $TMPDIR: gone when closed.
absl::StatusOr<Fd> OpenTemporary();

}  // namespace det::cli
