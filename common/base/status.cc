#include "common/base/status.h"

#include "absl/strings/cord.h"

#include "common/base/strings.h"

namespace det {
namespace {

constexpr char kReasonUrl[] = "det/reason";
constexpr char kHintUrl[] = "det/hint";

std::string Payload(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status Error(absl::StatusCode code,
                   std::string_view reason,
                   std::string_view message,
                   std::string_view hint) {
  absl::Status status(code, ToAbsl(message));
  if (!reason.empty()) status.SetPayload(kReasonUrl, absl::Cord(ToAbsl(reason)));
  if (!hint.empty()) status.SetPayload(kHintUrl, absl::Cord(ToAbsl(hint)));
  return status;
}

std::string ErrorReason(const absl::Status& status) {
  return Payload(status, kReasonUrl);
}
std::string ErrorHint(const absl::Status& status) {
  return Payload(status, kHintUrl);
}

absl::Status Annotate(const absl::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  return Error(status.code(),
               ErrorReason(status),
               StrCat(prefix, ": ", status.message()),
               ErrorHint(status));
}

}  // namespace det
