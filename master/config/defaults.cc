#include "master/config/defaults.h"

#include "common/base/strings.h"
#include "master/config/secrets.h"
#include "master/spec/parse.h"

namespace det::config {
namespace {

// Where each of Determined's keys goes. Those of networks and pods are of no use yet.
struct Key {
  std::string_view name;
  std::string_view group;  // "": the top of the configuration
  std::string_view as;
};
constexpr Key kKeys[] = {
    {"add_capabilities", "environment", "add_capabilities"},
    {"bind_mounts", "", "bind_mounts"},
    {"devices", "resources", "devices"},
    {"drop_capabilities", "environment", "drop_capabilities"},
    {"environment_variables", "environment", "environment_variables"},
    {"force_pull_image", "environment", "force_pull_image"},
    {"image", "environment", "image"},
    {"log_policies", "", "log_policies"},
    {"pbs", "", "pbs"},
    {"preemption_timeout", "", "preemption_timeout"},
    {"registry_auth", "environment", "registry_auth"},
    {"shm_size_bytes", "resources", "shm_size"},
    {"slurm", "", "slurm"},
};
constexpr std::string_view kWithoutEffect[] = {"cpu_pod_spec",
                                               "dtrain_network_interface",
                                               "gloo_port_range",
                                               "gpu_pod_spec",
                                               "kubernetes",
                                               "nccl_port_range",
                                               "network_mode",
                                               "startup_hook",
                                               "work_dir"};

// What is wrong with it as part of a configuration.
void Check(const Value& config, const std::string& path, Problems* problems) {
  Value probe = config;
  probe["entrypoint"] = "x";
  probe["searcher"]["name"] = "single";
  probe["searcher"]["metric"] = "x";
  Problems found;
  CheckSecrets(probe, &found);
  TakeSecrets("probe", &probe);
  spec::ParseExperiment(probe, {.checkpoint_host_path = "/"}, &found);
  spec::CheckCurrent(probe, &found);
  for (Problem& problem : found) {
    problem.message = StrCat(problem.path, ": ", problem.message);
    problem.path = path;
    problem.at_key = false;
    problems->push_back(std::move(problem));
  }
}

}  // namespace

void ReadTaskDefaults(MapReader& reader, Problems* problems, Value* config) {
  const Value* given = reader.Take("task_container_defaults");
  if (given == nullptr) return;
  const std::string path = reader.PathOf("task_container_defaults");
  MapReader map(*given, path, problems);
  Value found = Value::Object();
  for (const Key& key : kKeys) {
    const Value* value = map.Take(key.name);
    if (value == nullptr) continue;
    (key.group.empty() ? found : found[key.group])[key.as] = *value;
  }
  for (const std::string_view key : kWithoutEffect) map.NotYet(key);
  map.Finish();
  Check(found, path, problems);
  for (auto& [key, value] : found.as_object()) (*config)[key] = std::move(value);
}

void ReadStorageDefault(MapReader& reader,
                        Problems* problems,
                        Value* config,
                        std::map<std::string, Secret>* secrets,
                        std::string* folder) {
  const Value* given = reader.Take("checkpoint_storage");
  if (given == nullptr) return;
  Value storage;
  storage["checkpoint_storage"] = *given;
  CheckSecrets(storage, problems);
  for (TakenSecret& secret : TakeSecrets("cluster", &storage)) {
    secrets->emplace(std::move(secret.name), std::move(secret.value));
  }
  const Value& taken = *storage.Find("checkpoint_storage");
  // Where it lies if it does not say so is decided later.
  constexpr char kUnsaid[] = "/";
  const std::string said =
      spec::ParseStorage(taken, {.checkpoint_host_path = kUnsaid}, problems).Directory();
  if (!said.empty() && said != kUnsaid) *folder = said;
  (*config)["checkpoint_storage"] = taken;
}

}  // namespace det::config
