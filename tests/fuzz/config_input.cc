#include "tests/fuzz/config_input.h"

#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/config/yaml.h"
#include "master/config/experiment_config.h"

namespace det::fuzz {
namespace {

constexpr size_t kPartsMax = 8;

std::vector<std::string> Parts(std::string_view input) {
  std::vector<std::string> parts;
  while (parts.size() < kPartsMax) {
    const size_t end = input.find('\0');
    parts.emplace_back(input.substr(0, end));
    if (end == std::string_view::npos) break;
    input.remove_prefix(end + 1);
  }
  return parts;
}

void TryParts(const config::ConfigInput& input, const config::ClusterLayers& cluster) {
  const spec::ParseDefaults defaults{.seed = 7, .checkpoint_host_path = "/c"};
  const auto parsed = config::ParseExperimentConfig(input, defaults, cluster);
  if (!parsed.ok()) {
    DET_CHECK(ErrorReason(parsed.status()) == "INVALID_CONFIG", "another error");
    DET_CHECK(parsed.status().message().size() < 7000, "an error without bounds");
    return;
  }
  const Value effective = spec::ToValue(parsed->spec);
  const auto again = config::ParseExperimentConfig(
      {.text = effective.ToJson(), .name = "again", .parse_only = true}, defaults);
  DET_CHECK(again.ok(), "what takes effect is refused");
  DET_CHECK(again->spec == parsed->spec, "what takes effect is something else");
  std::string fault;
  const spec::ExperimentSpec recorded = spec::ParseRecorded(effective, &fault);
  DET_CHECK(fault.empty() && recorded == parsed->spec, "what is recorded is something else");
}

}  // namespace

void TryConfig(std::string_view input) {
  const std::vector<std::string> parts = Parts(input);
  YamlDocument document;
  ReadYaml(parts[0], {}, &document);
  config::HideSecrets(parts[0]);
  config::ConfigInput given{.text = parts[0], .name = "f.yaml"};
  TryParts(given, {});
  given.parse_only = true;
  given.overrides.assign(parts.begin() + 1, parts.end());
  config::ClusterLayers cluster;
  cluster.find_template = [&](const std::string&) -> absl::StatusOr<std::string> {
    return parts.back();
  };
  TryParts(given, cluster);
}

}  // namespace det::fuzz
