#include "cli/app/exit_code.h"

#include "cli/base/cause.h"
#include "common/base/status.h"

namespace det::cli {

ExitCode CodeOf(const absl::Status& status) {
  if (IsUsageError(status)) return ExitCode::kUsage;
  const std::string reason = ErrorReason(status);
  if (reason == "BAD_FILTER" || reason == "BAD_SORT") return ExitCode::kUsage;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kForbidden;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kFailure;
  }
}

}  // namespace det::cli
