#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "master/config/experiment_config.h"
#include "master/core/command.h"
#include "master/rpc/deps.h"

namespace det::rpc {

// Reads a configuration that came with a request, over what the cluster has. May block: it looks
// up templates and secrets. A secret that it refers to must be one that the principal may use.
// `input` needs no secret_prefix.
absl::StatusOr<config::ParsedConfig> ReadSubmitted(const Deps& deps,
                                                   const core::Principal& principal,
                                                   config::ConfigInput input);

// Keeps the secrets that stood in it in clear, before anything of it is recorded.
absl::Status KeepSecrets(const Deps& deps,
                         const core::Principal& principal,
                         const config::ParsedConfig& parsed);

}  // namespace det::rpc
