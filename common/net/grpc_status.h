#pragma once

#include "absl/status/status.h"
#include <grpcpp/support/status.h>

// Statuses across the wire: code and message as they are; reason and hint (common/base/status.h) in
// the details as det.api.v1.ErrorDetail.
namespace det::net {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace det::net
