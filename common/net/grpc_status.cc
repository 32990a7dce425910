#include "common/net/grpc_status.h"

#include "det/api/v1/common.pb.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/message_text.h"

namespace det::net {

// The codes of both are gRPC's own numbers.
grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  api::v1::ErrorDetail detail;
  detail.set_reason(ErrorReason(status));
  detail.set_hint(ErrorHint(status));
  MakeStringsUtf8(&detail);
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message()),
          detail.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  api::v1::ErrorDetail detail;
  detail.ParseFromString(status.error_details());
  return Error(static_cast<absl::StatusCode>(status.error_code()),
               detail.reason(),
               status.error_message(),
               detail.hint());
}

}  // namespace det::net
