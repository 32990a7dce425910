#include <algorithm>

#include "common/base/map_reader.h"
#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"

namespace det::spec {
namespace {

// A string runs by `sh -c`; a list runs as it is, without a shell.
void ReadEntrypoint(MapReader& reader, ExperimentSpec* spec) {
  reader.Required("entrypoint");
  const Value* value = reader.Take("entrypoint");
  if (value == nullptr) return;
  spec->entrypoint_is_shell = value->is_string();
  if (value->is_string()) {
    spec->entrypoint = {value->as_string()};
  } else if (value->is_array()) {
    for (const Value& word : value->as_array()) {
      if (!word.is_string()) {
        reader.Error(StrCat("entrypoint[", spec->entrypoint.size(), "]"),
                     StrCat("must be a string, not ", word.TypeName()),
                     "put numbers in quotes");
        return;
      }
      spec->entrypoint.push_back(word.as_string());
    }
  } else {
    reader.Error("entrypoint",
                 StrCat("must be a string or a list of strings, not ", value->TypeName()));
    return;
  }
  int64_t bytes = 0;
  for (const std::string& word : spec->entrypoint) {
    bytes += static_cast<int64_t>(word.size());
    if (word.find('\0') != std::string::npos) reader.Error("entrypoint", "contains a NUL byte");
  }
  if (spec->entrypoint.empty() || spec->entrypoint[0].empty())
    reader.Error("entrypoint", "is empty");
  if (bytes > kEntrypointBytesMax ||
      static_cast<int64_t>(spec->entrypoint.size()) > kEntrypointWordsMax) {
    reader.Error(
        "entrypoint",
        StrCat(
            "is longer than ", kEntrypointBytesMax, " bytes or ", kEntrypointWordsMax, " words"));
  }
}

ResourcesSpec ReadResources(const Value& value, const ParseDefaults& defaults, Problems* problems) {
  ResourcesSpec spec;
  spec.resource_pool = defaults.resource_pool;
  MapReader reader(value, "resources", problems);
  if (reader.Take("slots") != nullptr) {
    reader.Error("slots", "is not for experiments", "use resources.slots_per_trial");
  }
  reader.Int("slots_per_trial", 0, kSlotsPerTrialMax, &spec.slots_per_trial);
  reader.String("resource_pool", kNameBytesMax, &spec.resource_pool);
  if (spec.resource_pool.empty()) spec.resource_pool = defaults.resource_pool;
  reader.Int("priority", 1, 99, &spec.priority);
  for (const char* key : {"max_slots", "weight", "is_single_node", "shm_size", "devices"}) {
    reader.NotYet(key);
  }
  reader.Ignore("native_parallel");
  reader.Ignore("agent_label");
  reader.Finish();
  return spec;
}

// Names are what execve takes: not empty, without "=" and NUL. DET_ is the platform's own prefix.
void ReadVariables(const Value& value,
                   const std::string& path,
                   Problems* problems,
                   std::vector<std::string>* out) {
  const auto error = [&](const std::string& at, std::string message) {
    problems->push_back({.path = at, .message = std::move(message)});
  };
  if (!value.is_array())
    return error(path, StrCat("must be a list of \"NAME=value\", not ", value.TypeName()));
  if (static_cast<int64_t>(value.as_array().size()) > kEnvironmentVariablesMax) {
    return error(path, StrCat("has more than ", kEnvironmentVariablesMax, " variables"));
  }
  for (size_t i = 0; i < value.as_array().size(); ++i) {
    const Value& item = value.as_array()[i];
    const std::string at = StrCat(path, "[", i, "]");
    if (!item.is_string()) {
      error(at, StrCat("must be a string, not ", item.TypeName()));
      continue;
    }
    const std::string& text = item.as_string();
    const std::string name = text.substr(0, text.find('='));
    if (name.empty() || text.find('\0') != std::string::npos) {
      error(at, StrCat(QuoteJson(text.substr(0, 80)), " is not of the form NAME=value"));
    } else if (static_cast<int64_t>(text.size()) > kEnvironmentVariableBytesMax) {
      error(at, StrCat("is longer than ", kEnvironmentVariableBytesMax, " bytes"));
    } else if (name.starts_with("DET_")) {
      error(
          at,
          StrCat(
              "the variable ", name.substr(0, 80), " is reserved: names with DET_ are set by det"));
    } else {
      out->push_back(text);
    }
  }
}

EnvironmentSpec ReadEnvironment(const Value& value, Problems* problems) {
  EnvironmentSpec spec;
  MapReader reader(value, "environment", problems);
  if (const Value* variables = reader.Take("environment_variables")) {
    const std::string path = reader.PathOf("environment_variables");
    if (variables->is_object()) {
      MapReader kinds(*variables, path, problems);
      const auto read = [&](const char* kind, std::vector<std::string>* out) {
        if (const Value* list = kinds.Take(kind))
          ReadVariables(*list, kinds.PathOf(kind), problems, out);
      };
      read("cpu", &spec.cpu);
      read("gpu", &spec.cuda);  // Determined's older name
      read("cuda", &spec.cuda);
      read("rocm", &spec.rocm);
      kinds.Finish();
    } else {
      ReadVariables(*variables, path, problems, &spec.cpu);
      spec.cuda = spec.rocm = spec.cpu;
    }
  }
  for (const char* key : {"image",
                          "proxy_ports",
                          "ports",
                          "force_pull_image",
                          "registry_auth",
                          "add_capabilities",
                          "drop_capabilities",
                          "pod_spec"}) {
    reader.NotYet(key);
  }
  reader.Finish();
  return spec;
}

bool IsBelow(const std::string& path, const std::string& root) {
  return path.starts_with(root) &&
         (path.size() == root.size() || root.ends_with('/') || path[root.size()] == '/');
}

bool HasDotDot(const std::string& path) {
  return StrCat("/", path, "/").find("/../") != std::string::npos;
}

void ReadStoragePaths(MapReader& reader, const ParseDefaults& defaults, SharedFsSpec* spec) {
  reader.String("host_path", kPathBytesMax, &spec->host_path);
  reader.String("storage_path", kPathBytesMax, &spec->storage_path);
  if (spec->host_path.empty()) spec->host_path = defaults.checkpoint_host_path;
  while (spec->host_path.size() > 1 && spec->host_path.ends_with('/')) spec->host_path.pop_back();
  if (spec->host_path.empty()) {
    reader.Required("host_path");
  } else if (!spec->host_path.starts_with('/') || HasDotDot(spec->host_path)) {
    reader.Error("host_path",
                 StrCat(QuoteJson(spec->host_path), " must be absolute and without \"..\""));
  }
  if (spec->storage_path.starts_with('/')) {
    if (!IsBelow(spec->storage_path, spec->host_path)) {
      reader.Error("storage_path",
                   StrCat("is absolute, so it must be below host_path, ", spec->host_path));
    } else {
      spec->storage_path.erase(0, spec->host_path.size());
      spec->storage_path.erase(0, spec->storage_path.find_first_not_of('/'));
    }
  }
  if (HasDotDot(spec->storage_path)) reader.Error("storage_path", "must not contain \"..\"");
}

CheckpointStorageSpec ReadStorage(const Value& value,
                                  const ParseDefaults& defaults,
                                  Problems* problems) {
  static const std::vector<std::string> known = {"shared_fs", "directory", "s3", "gcs", "azure"};
  CheckpointStorageSpec spec;
  MapReader reader(value, "checkpoint_storage", problems);
  int type = 0;
  reader.Enum("type", known, &type);
  reader.Int("save_experiment_best", 0, kTrialsMax, &spec.save_experiment_best);
  reader.Int("save_trial_best", 0, kTrialsMax, &spec.save_trial_best);
  reader.Int("save_trial_latest", 0, kTrialsMax, &spec.save_trial_latest);
  if (type != 0) {
    reader.Error(
        "type",
        StrCat("the storage \"", known[static_cast<size_t>(type)], "\" is not supported yet"),
        "use shared_fs");
    return spec;
  }
  ReadStoragePaths(reader, defaults, &std::get<SharedFsSpec>(spec.place));
  // No checkpoint is removed yet, so who asks for other numbers than the usual ones is told.
  const CheckpointStorageSpec usual;
  if (spec.save_experiment_best != usual.save_experiment_best)
    reader.NotYet("save_experiment_best");
  if (spec.save_trial_best != usual.save_trial_best) reader.NotYet("save_trial_best");
  if (spec.save_trial_latest != usual.save_trial_latest) reader.NotYet("save_trial_latest");
  for (const char* key : {"propagation", "container_path", "checkpoint_path", "tensorboard_path"}) {
    reader.Ignore(key);
  }
  reader.Finish();
  return spec;
}

void NameKeysWithoutEffect(MapReader& reader) {
  for (const char* key : {"labels",
                          "workspace",
                          "project",
                          "bind_mounts",
                          "checkpoint_policy",
                          "min_validation_period",
                          "min_checkpoint_period",
                          "perform_initial_validation",
                          "records_per_epoch",
                          "profiling",
                          "optimizations",
                          "scheduling_unit",
                          "log_policies",
                          "retention_policy",
                          "integrations",
                          "debug",
                          "slurm",
                          "pbs",
                          "security"}) {
    reader.NotYet(key);
  }
  for (const char* key : {"version", "data_layer", "tensorboard_storage", "internal"}) {
    reader.Ignore(key);
  }
}

const Value& OrNull(const Value* value) {
  static const Value null;
  return value == nullptr ? null : *value;
}

}  // namespace

std::string CheckpointStorageSpec::Directory() const {
  if (const auto* directory = std::get_if<DirectorySpec>(&place)) return directory->container_path;
  const auto* shared = std::get_if<SharedFsSpec>(&place);
  if (shared == nullptr) return "";
  return shared->storage_path.empty() ? shared->host_path
                                      : StrCat(shared->host_path, "/", shared->storage_path);
}

ExperimentSpec ParseExperiment(const Value& config,
                               const ParseDefaults& defaults,
                               Problems* problems) {
  ExperimentSpec spec;
  spec.name = defaults.name;
  spec.seed = defaults.seed;
  MapReader reader(config, "", problems);
  if (!config.is_object()) {
    if (config.is_null()) problems->push_back({.message = "the configuration is empty"});
    return spec;
  }
  reader.String("name", kNameBytesMax, &spec.name);
  reader.String("description", kDescriptionBytesMax, &spec.description);
  ReadEntrypoint(reader, &spec);
  reader.Required("searcher");
  spec.hparams = ParseHparams(OrNull(reader.Take("hyperparameters")), "hyperparameters", problems);
  if (const Value* searcher = reader.Take("searcher")) {
    spec.searcher = ParseSearcher(*searcher, "searcher", problems);
  }
  CheckSearchSpace(spec.searcher, spec.hparams, problems);
  spec.resources = ReadResources(OrNull(reader.Take("resources")), defaults, problems);
  spec.environment = ReadEnvironment(OrNull(reader.Take("environment")), problems);
  spec.checkpoint_storage =
      ReadStorage(OrNull(reader.Take("checkpoint_storage")), defaults, problems);
  reader.Int("max_restarts", 0, kMaxRestartsMax, &spec.max_restarts);
  reader.Int(
      "preemption_timeout", 0, kPreemptionTimeoutSecondsMax, &spec.preemption_timeout_seconds);
  if (const Value* data = reader.Take("data")) {
    CheckStorable(*data, "data", problems);
    spec.data = *data;
  }
  MapReader reproducibility(OrNull(reader.Take("reproducibility")), "reproducibility", problems);
  int64_t seed = spec.seed;
  reproducibility.Int("experiment_seed", 0, UINT32_MAX, &seed);
  reproducibility.Finish();
  spec.seed = static_cast<uint32_t>(seed);
  NameKeysWithoutEffect(reader);
  reader.Finish();
  return spec;
}

Value ToValue(const ExperimentSpec& spec) {
  Value out;
  out["name"] = spec.name;
  if (!spec.description.empty()) out["description"] = spec.description;
  if (spec.entrypoint_is_shell) {
    out["entrypoint"] = spec.entrypoint[0];
  } else {
    out["entrypoint"] = Value::Array(spec.entrypoint.begin(), spec.entrypoint.end());
  }
  out["hyperparameters"] = HparamsToValue(spec.hparams);
  out["searcher"] = SearcherToValue(spec.searcher);
  out["resources"]["slots_per_trial"] = spec.resources.slots_per_trial;
  out["resources"]["resource_pool"] = spec.resources.resource_pool;
  out["resources"]["priority"] = spec.resources.priority;
  Value& variables = out["environment"]["environment_variables"];
  variables["cpu"] = Value::Array(spec.environment.cpu.begin(), spec.environment.cpu.end());
  variables["cuda"] = Value::Array(spec.environment.cuda.begin(), spec.environment.cuda.end());
  variables["rocm"] = Value::Array(spec.environment.rocm.begin(), spec.environment.rocm.end());
  Value& storage = out["checkpoint_storage"];
  storage["type"] = "shared_fs";
  const auto& shared = std::get<SharedFsSpec>(spec.checkpoint_storage.place);
  storage["host_path"] = shared.host_path;
  if (!shared.storage_path.empty()) storage["storage_path"] = shared.storage_path;
  storage["save_experiment_best"] = spec.checkpoint_storage.save_experiment_best;
  storage["save_trial_best"] = spec.checkpoint_storage.save_trial_best;
  storage["save_trial_latest"] = spec.checkpoint_storage.save_trial_latest;
  out["max_restarts"] = spec.max_restarts;
  out["preemption_timeout"] = spec.preemption_timeout_seconds;
  out["reproducibility"]["experiment_seed"] = static_cast<int64_t>(spec.seed);
  if (!spec.data.is_null()) out["data"] = spec.data;
  return out;
}

}  // namespace det::spec
