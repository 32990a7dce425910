#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Errors are values. A status carries a canonical code, a message that names the ids concerned, and
// optionally a machine-readable reason (UPPER_SNAKE, stable) and a hint: what to do next.
namespace det {

// Example: Error(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "experiment 7 does not
// exist",
//                "det experiment list shows those that do").
absl::Status Error(absl::StatusCode code,
                   std::string_view reason,
                   std::string_view message,
                   std::string_view hint = {});

// Empty when the status has none.
std::string ErrorReason(const absl::Status& status);
std::string ErrorHint(const absl::Status& status);

// The same status with `prefix: ` before its message; code, reason and hint stay.
absl::Status Annotate(const absl::Status& status, std::string_view prefix);

namespace internal {
inline absl::Status ToStatus(absl::Status status) {
  return status;
}
template <class T>
absl::Status ToStatus(absl::StatusOr<T>&& result) {
  return std::move(result).status();
}
}  // namespace internal

}  // namespace det

#define DET_STATUS_CONCAT_(a, b) a##b
#define DET_STATUS_CONCAT(a, b) DET_STATUS_CONCAT_(a, b)

#define DET_RETURN_IF_ERROR(expression)                                                      \
  do {                                                                                       \
    if (absl::Status det_status_ = ::det::internal::ToStatus(expression); !det_status_.ok()) \
      return det_status_;                                                                    \
  } while (false)

#define DET_ASSIGN_OR_RETURN(target, expression) \
  DET_ASSIGN_OR_RETURN_(DET_STATUS_CONCAT(det_result_, __LINE__), target, expression)
#define DET_ASSIGN_OR_RETURN_(result, target, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return std::move(result).status();    \
  target = *std::move(result)
