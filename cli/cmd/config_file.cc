#include "cli/cmd/config_file.h"

#include "cli/base/cause.h"
#include "cli/base/files.h"
#include "cli/format/width.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

// A message of the API holds four MiB at most, and a configuration is written by hand.
constexpr int64_t kConfigBytesMax = 1 << 20;

absl::Status CheckUtf8(const std::string& text, const std::string& name) {
  for (std::string_view rest = text; !rest.empty();) {
    const Decoded at = DecodeUtf8(rest);
    if (!at.valid) {
      return Error(absl::StatusCode::kInvalidArgument,
                   "CONFIG_NOT_UTF8",
                   StrCat(name, ": byte ", text.size() - rest.size(), " is no UTF-8"));
    }
    rest.remove_prefix(at.bytes);
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Param> ConfigParams(ConfigWords* words) {
  return {
      Required("CONFIG", &words->path, "the configuration, YAML or JSON; - reads it from stdin"),
      Option("--config",
             "KEY=VALUE",
             &words->overrides,
             "set a field: searcher.max_trials=8; may be repeated"),
      Option("--template",
             "NAME",
             &words->template_name,
             "a stored template: its keys count where the configuration has none")};
}

absl::StatusOr<ConfigText> ReadConfig(const ConfigWords& words) {
  for (const std::string& override_text : words.overrides) {
    DET_RETURN_IF_ERROR(CheckUtf8(override_text, "--config"));
    const size_t equals = override_text.find('=');
    if (equals != std::string::npos && equals > 0) continue;
    return UsageError(StrCat("--config: ", QuoteJson(override_text), " is not KEY=VALUE"),
                      "such as --config searcher.max_trials=8");
  }
  const bool from_stdin = words.path == "-";
  ConfigText config{.name = from_stdin ? "stdin" : words.path};
  DET_ASSIGN_OR_RETURN(config.text,
                       ReadFile(from_stdin ? "/dev/stdin" : words.path, kConfigBytesMax));
  DET_RETURN_IF_ERROR(CheckUtf8(config.text, config.name));
  return config;
}

std::vector<std::string> FromCheckpoint(const std::string& uuid) {
  if (uuid.empty()) return {};
  return {"searcher.source_trial_id=", StrCat("searcher.source_checkpoint_uuid=", QuoteJson(uuid))};
}

}  // namespace det::cli
