#include "cli/base/cause.h"

#include "absl/strings/cord.h"

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr char kCauseUrl[] = "det/cause";
constexpr char kUsage[] = "USAGE";

}  // namespace

absl::Status WithCause(absl::Status status, std::string_view cause) {
  if (!cause.empty()) status.SetPayload(kCauseUrl, absl::Cord(ToAbsl(cause)));
  return status;
}

std::string ErrorCause(const absl::Status& status) {
  const auto payload = status.GetPayload(kCauseUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

absl::Status UsageError(std::string_view message, std::string_view hint) {
  return Error(absl::StatusCode::kInvalidArgument, kUsage, message, hint);
}

bool IsUsageError(const absl::Status& status) {
  return ErrorReason(status) == kUsage;
}

}  // namespace det::cli
