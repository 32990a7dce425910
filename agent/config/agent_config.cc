#include "agent/config/agent_config.h"

#include <algorithm>

#include <unistd.h>

#include "common/base/map_reader.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"
#include "common/base/value.h"
#include "common/config/settings_file.h"

namespace det::agent {
namespace {

constexpr int64_t kPathBytesMax = 4096;
constexpr int64_t kSlotsMax = 1024;
constexpr int64_t kSampleMillisecondsMin = 50;
constexpr int64_t kSampleMillisecondsMax = 3600 * 1000;
constexpr int64_t kGraceSecondsMax = 24 * 3600;

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0' ? name : "agent";
}

// Each call carries it in a header, and with anything else there gRPC ends the process.
bool FitsInHeader(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

void ReadSampling(MapReader& reader, Problems* problems, AgentConfig* config) {
  const Value* sampling = reader.Take("sampling");
  if (sampling == nullptr) return;
  MapReader map(*sampling, "sampling", problems);
  int64_t every = absl::ToInt64Milliseconds(config->sample_every);
  int64_t point = absl::ToInt64Milliseconds(config->sample_point_every);
  map.Bool("enabled", &config->sample);
  map.Int("every_milliseconds", kSampleMillisecondsMin, kSampleMillisecondsMax, &every);
  map.Int("point_every_milliseconds", kSampleMillisecondsMin, kSampleMillisecondsMax, &point);
  map.Finish();
  config->sample_every = absl::Milliseconds(every);
  config->sample_point_every = absl::Milliseconds(std::max(every, point));
}

AgentConfig Read(const Value& value, Problems* problems) {
  AgentConfig config;
  MapReader reader(value, "", problems);
  int64_t slots = 0;
  int64_t artificial = 0;
  int64_t grace = absl::ToInt64Seconds(config.stop_grace);
  reader.Required("data_dir");
  reader.Required("join_token_file");
  reader.String("data_dir", kPathBytesMax, &config.data_dir);
  reader.String("master", 512, &config.master);
  reader.String("join_token_file", kPathBytesMax, &config.join_token_file);
  reader.String("agent_id", 128, &config.agent_id);
  reader.String("pool", 256, &config.pool);
  reader.Int("slots", 0, kSlotsMax, &slots);
  reader.Int("artificial_slots", 0, kSlotsMax, &artificial);
  reader.Int("stop_grace_seconds", 0, kGraceSecondsMax, &grace);
  ReadSampling(reader, problems, &config);
  if (const Value* log = reader.Take("log")) {
    MapReader map(*log, "log", problems);
    map.Enum("level", {"debug", "info", "warning", "error"}, &config.log_level);
    map.String("file", kPathBytesMax, &config.log_file);
    map.Finish();
  }
  if (!config.data_dir.empty() && !config.data_dir.starts_with('/'))
    reader.Error("data_dir", "must be absolute");
  if (config.agent_id.empty()) config.agent_id = HostName();
  if (!FitsInHeader(config.agent_id)) {
    reader.Error("agent_id",
                 StrCat("is ",
                        QuoteJson(ToUtf8(config.agent_id)),
                        ", must be letters, digits and signs of ASCII without blanks"),
                 "set agent_id; without it the host's name is taken");
  }
  reader.Finish();
  config.slots = static_cast<int>(slots);
  config.artificial_slots = static_cast<int>(artificial);
  config.stop_grace = absl::Seconds(grace);
  return config;
}

}  // namespace

absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path) {
  if (path.empty()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "USAGE",
                 "--config is needed",
                 "det-agent --config /etc/det/agent.yaml");
  }
  AgentConfig config;
  // An empty file lacks what a map without keys lacks.
  DET_RETURN_IF_ERROR(ReadSettings(path, [&](const Value& value, Problems* problems) {
    config = Read(value.is_null() ? Value(Value::Object{}) : value, problems);
  }));
  return config;
}

}  // namespace det::agent
