#pragma once

#include "absl/status/status.h"

#include "master/rpc/services.h"

namespace det::api::v1 {
class ExplainConfigRequest;
class ExplainConfigResponse;
}  // namespace det::api::v1

namespace det::rpc {

// What a key of the configuration means; KEY_NOT_FOUND with the nearest one. Any thread.
absl::Status ExplainConfig(const api::v1::ExplainConfigRequest& request,
                           api::v1::ExplainConfigResponse* response);

}  // namespace det::rpc
