#include "common/os/os_error.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det {
namespace {

constexpr std::string_view kDiskFull = "DISK_FULL";

struct Meaning {
  int error;
  absl::StatusCode code;
  std::string_view reason;
  std::string_view hint;
};

constexpr std::string_view kFreeSpace = "free some space on that file system";

constexpr std::array kMeanings = {
    Meaning{ENOENT, absl::StatusCode::kNotFound, "NO_SUCH_FILE", ""},
    Meaning{ESRCH, absl::StatusCode::kNotFound, "NO_SUCH_PROCESS", ""},
    Meaning{EACCES, absl::StatusCode::kPermissionDenied, "NO_PERMISSION", ""},
    Meaning{EPERM, absl::StatusCode::kPermissionDenied, "NO_PERMISSION", ""},
    Meaning{EROFS, absl::StatusCode::kPermissionDenied, "READ_ONLY", "mount it writable"},
    Meaning{ENOSPC, absl::StatusCode::kResourceExhausted, kDiskFull, kFreeSpace},
    Meaning{EDQUOT, absl::StatusCode::kResourceExhausted, kDiskFull, kFreeSpace},
    Meaning{EMFILE,
            absl::StatusCode::kResourceExhausted,
            "TOO_MANY_OPEN_FILES",
            "raise the limit on open files (ulimit -n)"},
    Meaning{ENFILE,
            absl::StatusCode::kResourceExhausted,
            "TOO_MANY_OPEN_FILES",
            "raise fs.file-max on this host"},
    Meaning{ENOMEM, absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY", ""},
    Meaning{EAGAIN, absl::StatusCode::kUnavailable, "TRY_AGAIN", ""},
    Meaning{EBUSY, absl::StatusCode::kUnavailable, "BUSY", ""},
    Meaning{EEXIST, absl::StatusCode::kAlreadyExists, "FILE_EXISTS", ""},
    Meaning{ENOTEMPTY, absl::StatusCode::kFailedPrecondition, "NOT_EMPTY", ""},
    Meaning{ENOTDIR, absl::StatusCode::kFailedPrecondition, "NOT_A_DIRECTORY", ""},
    Meaning{EISDIR, absl::StatusCode::kFailedPrecondition, "IS_A_DIRECTORY", ""},
    Meaning{ELOOP, absl::StatusCode::kFailedPrecondition, "SYMBOLIC_LINK", ""},
    Meaning{EXDEV, absl::StatusCode::kFailedPrecondition, "OTHER_FILE_SYSTEM", ""},
    Meaning{ENAMETOOLONG, absl::StatusCode::kInvalidArgument, "PATH_TOO_LONG", ""},
    Meaning{EINVAL, absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENT", ""},
    Meaning{EIO, absl::StatusCode::kDataLoss, "IO_ERROR", "see the kernel's log (dmesg)"},
    Meaning{ENOSYS, absl::StatusCode::kUnimplemented, "KERNEL_TOO_OLD", "Linux 5.10 is needed"},
};

const Meaning& Find(int error) {
  static constexpr Meaning kOther = {0, absl::StatusCode::kInternal, "OS_ERROR", ""};
  for (const Meaning& meaning : kMeanings) {
    if (meaning.error == error) return meaning;
  }
  return kOther;
}

}  // namespace

absl::Status OsError(int error, std::string_view operation, std::string_view subject) {
  std::array<char, 128> buffer{};
  const std::string_view text = ::strerror_r(error, buffer.data(), buffer.size());
  const Meaning& meaning = Find(error);
  return Error(meaning.code,
               meaning.reason,
               StrCat("cannot ", operation, " ", subject, ": ", text),
               meaning.hint);
}

bool IsDiskFull(int error) {
  return error == ENOSPC || error == EDQUOT;
}

bool IsDiskFull(const absl::Status& status) {
  return ErrorReason(status) == kDiskFull;
}

}  // namespace det
