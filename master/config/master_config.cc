#include "master/config/master_config.h"

#include "common/base/map_reader.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/config/settings_file.h"
#include "master/config/defaults.h"

namespace det::config {
namespace {

constexpr int64_t kPathBytesMax = 4096;
constexpr int64_t kRetentionDaysMax = 32767;
constexpr int64_t kNameBytesMax = 256;
constexpr int64_t kDescriptionBytesMax = 4096;
constexpr int64_t kAuxTasksMax = 100 * 1000;
constexpr int64_t kQuotaSlotsMax = 1000 * 1000 * 1000;

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

void ReadRetention(MapReader& reader, Problems* problems, MasterConfig* config) {
  const Value* retention = reader.Take("retention_policy");
  if (retention == nullptr) return;
  MapReader map(*retention, "retention_policy", problems);
  map.Int("log_retention_days", -1, kRetentionDaysMax, &config->log_retention_days);
  map.Finish();
}

// Names as Determined writes them; what it dropped, and what it has and we don't, is told by name.
void ReadScheduler(const Value& value,
                   const std::string& path,
                   Problems* problems,
                   scheduler::PoolRules* rules,
                   int64_t* default_priority) {
  MapReader map(value, path, problems);
  const Value* type = value.is_object() ? value.Find("type") : nullptr;
  if (type != nullptr && type->is_string() && type->as_string() == "round_robin") {
    map.Take("type");
    map.Error(
        "type",
        "\"round_robin\" is gone, here as in Determined",
        "\"fair_share\" divides slots between experiments; \"fifo\" runs one after the other");
  } else {
    map.Enum("type", {"priority", "fifo", "fair_share"}, &rules->policy);
  }
  map.Bool("preemption", &rules->preemption);
  map.Enum("fitting_policy", {"best", "worst"}, &rules->fitting);
  if (rules->policy == scheduler::Policy::kFifo) {
    if (rules->preemption && value.Find("preemption") != nullptr) {
      map.Error("preemption",
                "a fifo pool lets whatever runs run to its end",
                "use \"priority\" or \"fair_share\", or leave preemption out");
    }
    rules->preemption = false;
  }
  map.Int("default_priority", 1, 99, default_priority);
  map.NotYet("allow_heterogeneous_fits");
  map.Finish();
}

void ReadManager(MapReader& reader, Problems* problems, MasterConfig* config) {
  const Value* manager = reader.Take("resource_manager");
  if (manager == nullptr) return;
  MapReader map(*manager, "resource_manager", problems);
  std::string type = "agent";
  map.String("type", 64, &type);
  if (type != "agent") {
    map.Error("type", StrCat(QuoteJson(type), " is not known here"), "\"agent\" is all there is");
  }
  if (const Value* scheduler = map.Take("scheduler")) {
    ReadScheduler(*scheduler,
                  "resource_manager.scheduler",
                  problems,
                  &config->rules.defaults,
                  &config->default_priority);
  }
  for (const char* key : {"default_compute_resource_pool",
                          "default_aux_resource_pool",
                          "require_authentication",
                          "client_ca",
                          "name",
                          "metadata"}) {
    map.NotYet(key);
  }
  map.Finish();
}

void ReadPool(const Value& value, const std::string& path, Problems* problems, MasterConfig* out) {
  MapReader map(value, path, problems);
  std::string name;
  std::string description;  // for those who read the file
  scheduler::PoolRules rules = out->rules.defaults;
  int64_t default_priority = out->default_priority;
  map.Required("pool_name");
  map.String("pool_name", kNameBytesMax, &name);
  map.String("description", kDescriptionBytesMax, &description);
  map.Int("max_cpu_containers_per_agent", 0, kAuxTasksMax, &rules.aux_per_agent_max);
  map.Int("max_aux_containers_per_agent", 0, kAuxTasksMax, &rules.aux_per_agent_max);
  if (const Value* scheduler = map.Take("scheduler")) {
    ReadScheduler(*scheduler, map.PathOf("scheduler"), problems, &rules, &default_priority);
  }
  Value task_defaults;
  ReadTaskDefaults(map, problems, &task_defaults);
  for (const char* key : {"provider", "agent_reconnect_wait"}) map.NotYet(key);
  map.Ignore("agent_reattach_enabled");
  map.Finish();
  if (name.empty()) return;
  if (!out->rules.pools.emplace(name, rules).second) {
    map.Error("pool_name", StrCat("pool ", QuoteJson(name), " is described twice"));
  }
  out->pool_priorities[name] = default_priority;
  if (!task_defaults.is_null()) out->pool_defaults[name] = std::move(task_defaults);
}

void ReadPools(MapReader& reader, Problems* problems, MasterConfig* config) {
  const Value* pools = reader.Take("resource_pools");
  if (pools == nullptr) return;
  if (!pools->is_array()) {
    return reader.Error("resource_pools",
                        StrCat("must be a list of pools, not ", pools->TypeName()),
                        "resource_pools: [{pool_name: default}]");
  }
  int64_t index = 0;
  for (const Value& pool : pools->as_array()) {
    ReadPool(pool, StrCat("resource_pools[", index++, "]"), problems, config);
  }
}

void ReadQuotas(MapReader& reader, Problems* problems, MasterConfig* config) {
  const Value* quotas = reader.Take("quotas");
  if (quotas == nullptr) return;
  MapReader map(*quotas, "quotas", problems);
  const auto read = [&](const char* kind, std::map<std::string, int64_t>* out) {
    const Value* names = map.Take(kind);
    if (names == nullptr) return;
    MapReader list(*names, map.PathOf(kind), problems);
    if (!names->is_object()) return;
    for (const auto& [name, value] : names->as_object()) {
      const Value* quota = list.Take(name);
      if (quota == nullptr) continue;
      MapReader one(*quota, list.PathOf(name), problems);
      one.Required("slots");
      one.Int("slots", 0, kQuotaSlotsMax, &(*out)[name]);
      one.Finish();
    }
    list.Finish();
  };
  read("users", &config->rules.user_slots);
  read("workspaces", &config->rules.workspace_slots);
  map.Finish();
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
  // Pools begin with what holds for all, wherever it stands in the file.
  ReadManager(reader, problems, &config);
  ReadPools(reader, problems, &config);
  ReadQuotas(reader, problems, &config);
  ReadRetention(reader, problems, &config);
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
