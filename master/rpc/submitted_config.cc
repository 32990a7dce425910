#include "master/rpc/submitted_config.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/random.h"

namespace det::rpc {
namespace {

constexpr size_t kConfigBytesMax = 4 << 20;

absl::Status CheckSecretNames(const Deps& deps,
                              const core::Principal& principal,
                              const config::ParsedConfig& parsed) {
  for (const std::string& name : config::SecretNames(parsed.spec)) {
    const bool own = std::any_of(parsed.secrets.begin(), parsed.secrets.end(), [&](const auto& it) {
      return it.name == name;
    });
    if (!own) DET_RETURN_IF_ERROR(deps.secrets.Get(name, principal.name).status());
  }
  return absl::OkStatus();
}

// A folder of all machines; one of the containers may have any name there.
absl::Status CheckStorage(const Deps& deps, const spec::CheckpointStorageSpec& spec) {
  if (!std::holds_alternative<spec::SharedFsSpec>(spec.place)) return absl::OkStatus();
  return Annotate(storage::CheckOffLimits(deps.off_limits, spec.Directory()), "checkpoint_storage");
}

}  // namespace

absl::StatusOr<config::ParsedConfig> ReadSubmitted(const Deps& deps,
                                                   const core::Principal& principal,
                                                   config::ConfigInput input) {
  if (input.text.size() > kConfigBytesMax) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_CONFIG",
                 StrCat("the configuration is ",
                        input.text.size(),
                        " bytes, at most ",
                        kConfigBytesMax,
                        " are allowed"));
  }
  if (input.name.empty()) input.name = "configuration";
  input.secret_prefix = RandomUuid();
  spec::ParseDefaults defaults = deps.defaults;
  // A seed that nobody chose: any will do, and the effective configuration says which it was.
  defaults.seed = static_cast<uint32_t>(absl::ToUnixSeconds(deps.clock.Now()));
  config::ClusterLayers layers = deps.layers;
  layers.find_template = [&](const std::string& name) -> absl::StatusOr<std::string> {
    DET_ASSIGN_OR_RETURN(catalog::TemplateRow found, deps.catalog.Template(principal, name));
    return std::move(found.config);
  };
  DET_ASSIGN_OR_RETURN(config::ParsedConfig parsed,
                       config::ParseExperimentConfig(input, defaults, layers));
  DET_RETURN_IF_ERROR(CheckSecretNames(deps, principal, parsed));
  DET_RETURN_IF_ERROR(CheckStorage(deps, parsed.spec.checkpoint_storage));
  return parsed;
}

absl::Status KeepSecrets(const Deps& deps,
                         const core::Principal& principal,
                         const config::ParsedConfig& parsed) {
  for (const config::TakenSecret& secret : parsed.secrets) {
    DET_RETURN_IF_ERROR(deps.secrets.Keep(secret.name, principal.name, secret.value));
  }
  return absl::OkStatus();
}

}  // namespace det::rpc
