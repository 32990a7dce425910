#include "master/config/master_config.h"

#include "common/base/map_reader.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/config/settings_file.h"
#include "master/config/defaults.h"

namespace det::config {
namespace {

constexpr int64_t kPathBytesMax = 4096;

void ReadListen(MapReader& reader, Problems* problems, MasterConfig* config) {
  const Value* listen = reader.Take("listen");
  if (listen == nullptr) return;
  MapReader map(*listen, "listen", problems);
  int64_t grpc = config->grpc_port;
  int64_t http = config->http_port;
  map.String("host", 255, &config->host);
  map.Int("grpc_port", 0, 65535, &grpc);
  map.Int("http_port", 0, 65535, &http);
  map.Finish();
  config->grpc_port = static_cast<int>(grpc);
  config->http_port = static_cast<int>(http);
  // Nothing is encrypted yet, so nothing leaves this machine.
  const bool loopback =
      config->host == "127.0.0.1" || config->host == "::1" || config->host == "localhost";
  if (!loopback) {
    map.Error("host",
              StrCat(QuoteJson(config->host),
                     " is not a loopback address, and links are not encrypted yet"),
              "use 127.0.0.1");
  }
}

void ReadLog(MapReader& reader, Problems* problems, MasterConfig* config) {
  const Value* log = reader.Take("log");
  if (log == nullptr) return;
  MapReader map(*log, "log", problems);
  map.Enum("level", {"debug", "info", "warning", "error"}, &config->log_level);
  map.String("file", kPathBytesMax, &config->log_file);
  map.Finish();
}

void ReadUsers(MapReader& reader, Problems* problems, MasterConfig* config) {
  const Value* users = reader.Take("users");
  if (users == nullptr) return;
  MapReader map(*users, "users", problems);
  if (!users->is_object()) return;
  for (const auto& [name, value] : users->as_object()) {
    std::string token_file;
    MapReader user(value, map.PathOf(name), problems);
    user.Required("token_file");
    user.String("token_file", kPathBytesMax, &token_file);
    user.Finish();
    config->user_token_files[name] = token_file;
  }
}

MasterConfig Read(const Value& value, Problems* problems) {
  MasterConfig config;
  MapReader reader(value, "", problems);
  reader.String("data_dir", kPathBytesMax, &config.data_dir);
  if (const Value* db = reader.Take("db")) {
    MapReader map(*db, "db", problems);
    map.String("url", kPathBytesMax, &config.db_url);
    map.Finish();
  }
  ReadListen(reader, problems, &config);
  // A bare host_path is all that older files have; its default is not known yet.
  ReadStorageDefault(
      reader, problems, &config.experiment_defaults, &config.secrets, &config.checkpoint_path);
  ReadTaskDefaults(reader, problems, &config.experiment_defaults);
  if (const Value* scheduler = reader.Take("scheduler")) {
    MapReader map(*scheduler, "scheduler", problems);
    map.Enum("policy", {"priority", "fifo"}, &config.policy);
    map.Finish();
  }
  ReadLog(reader, problems, &config);
  ReadUsers(reader, problems, &config);
  reader.Finish();
  return config;
}

}  // namespace

absl::StatusOr<MasterConfig> LoadMasterConfig(const std::string& path,
                                              const std::string& data_dir) {
  MasterConfig config;
  DET_RETURN_IF_ERROR(ReadSettings(
      path, [&](const Value& value, Problems* problems) { config = Read(value, problems); }));
  if (!data_dir.empty()) config.data_dir = data_dir;
  if (!config.data_dir.starts_with('/')) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "NO_DATA_DIR",
                 "data_dir must be given, as an absolute path",
                 "det-master --data-dir /var/lib/det");
  }
  if (config.checkpoint_path.empty())
    config.checkpoint_path = StrCat(config.data_dir, "/checkpoints");
  return config;
}

}  // namespace det::config
