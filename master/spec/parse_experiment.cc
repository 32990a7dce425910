#include <algorithm>

#include "common/base/map_reader.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"
#include "master/spec/reading.h"

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
    reader.Broken(
        "entrypoint",
        StrCat(
            "is longer than ", kEntrypointBytesMax, " bytes or ", kEntrypointWordsMax, " words"));
  }
}

// [a, b], or {a: true, b: false} as older files have it.
void ReadLabels(MapReader& reader, std::vector<std::string>* labels) {
  const Value* value = reader.Take("labels");
  if (value == nullptr) return;
  if (value->is_object()) {
    for (const auto& [name, on] : value->as_object()) {
      if (!on.is_bool()) return reader.Error("labels", "must be a list, or a map to true or false");
      if (on.as_bool()) labels->push_back(name);
    }
  } else {
    reader.StringList("labels", kLabelsMax, kNameBytesMax, labels);
  }
  const bool lines = std::all_of(labels->begin(), labels->end(), [](const std::string& label) {
    return !label.empty() && static_cast<int64_t>(label.size()) <= kNameBytesMax &&
           !HasControls(label);
  });
  if (!lines) {
    reader.Broken("labels",
                  StrCat("must be texts of one line, of 1 to ", kNameBytesMax, " bytes each"));
  }
  std::sort(labels->begin(), labels->end());
  labels->erase(std::unique(labels->begin(), labels->end()), labels->end());
}

void ReadCatalogue(MapReader& reader, ExperimentSpec* spec) {
  reader.Line("name", kNameBytesMax, &spec->name);
  reader.String("description", kDescriptionBytesMax, &spec->description);
  ReadLabels(reader, &spec->labels);
  reader.Line("workspace", kNameBytesMax, &spec->workspace);
  reader.Line("project", kNameBytesMax, &spec->project);
  if (spec->workspace.empty() != spec->project.empty()) {
    reader.Broken(spec->workspace.empty() ? "project" : "workspace",
                  "needs the other of workspace and project beside it");
  }
}

// What the trial's own code reads.
void ReadTraining(MapReader& reader, ExperimentSpec* spec, Problems* problems) {
  static const std::vector<std::string> policies = {"best", "all", "none"};
  reader.Enum("checkpoint_policy", policies, &spec->checkpoint_policy);
  spec->min_validation_period =
      ReadLength(reader, "min_validation_period", 0, problems).value_or(Length());
  spec->min_checkpoint_period =
      ReadLength(reader, "min_checkpoint_period", 0, problems).value_or(Length());
  reader.Bool("perform_initial_validation", &spec->perform_initial_validation);
  reader.Int("records_per_epoch", 0, kLengthMax, &spec->records_per_epoch);
  reader.Int("scheduling_unit", 1, kLengthMax, &spec->scheduling_unit);
  spec->data = ReadFree(reader, "data", false, problems);
  spec->profiling = ParseProfiling(OrNull(reader.Take("profiling")), problems);
  spec->optimizations = ParseOptimizations(OrNull(reader.Take("optimizations")), problems);
  reader.Bool("debug", &spec->debug);
}

void ReadElsewhere(MapReader& reader, ExperimentSpec* spec, Problems* problems) {
  spec->bind_mounts = ParseBindMounts(OrNull(reader.Take("bind_mounts")), problems);
  spec->integrations = ParseIntegrations(OrNull(reader.Take("integrations")), problems);
  spec->slurm = ParseSlurm(OrNull(reader.Take("slurm")), problems);
  spec->pbs = ParsePbs(OrNull(reader.Take("pbs")), problems);
  spec->security = ParseSecurity(OrNull(reader.Take("security")), problems);
  for (const char* key : {"data_layer", "tensorboard_storage", "internal"}) reader.Ignore(key);
  int64_t version = 0;
  reader.Int("version", 0, 0, &version);
}

void ReadRunning(MapReader& reader, ExperimentSpec* spec, Problems* problems) {
  reader.Int("max_restarts", 0, kMaxRestartsMax, &spec->max_restarts);
  reader.Int(
      "preemption_timeout", 0, kPreemptionTimeoutSecondsMax, &spec->preemption_timeout_seconds);
  spec->log_policies = ParseLogPolicies(OrNull(reader.Take("log_policies")), problems);
  MapReader retention(OrNull(reader.Take("retention_policy")), "retention_policy", problems);
  retention.OptionalInt("log_retention_days", -1, kLogRetentionDaysMax, &spec->log_retention_days);
  retention.Finish();
  MapReader reproducibility(OrNull(reader.Take("reproducibility")), "reproducibility", problems);
  int64_t seed = spec->seed;
  reproducibility.Int("experiment_seed", 0, UINT32_MAX, &seed);
  reproducibility.Finish();
  spec->seed = static_cast<uint32_t>(seed);
}

void PutCatalogue(const ExperimentSpec& spec, Value& out) {
  out["name"] = spec.name;
  if (!spec.description.empty()) out["description"] = spec.description;
  out["labels"] = ListOf(spec.labels);
  if (!spec.workspace.empty()) out["workspace"] = spec.workspace;
  if (!spec.project.empty()) out["project"] = spec.project;
}

void PutTraining(const ExperimentSpec& spec, Value& out) {
  static constexpr std::string_view kPolicies[] = {"best", "all", "none"};
  out["checkpoint_policy"] = kPolicies[static_cast<size_t>(spec.checkpoint_policy)];
  out["min_validation_period"] = LengthToValue(spec.min_validation_period);
  out["min_checkpoint_period"] = LengthToValue(spec.min_checkpoint_period);
  out["perform_initial_validation"] = spec.perform_initial_validation;
  out["records_per_epoch"] = spec.records_per_epoch;
  out["scheduling_unit"] = spec.scheduling_unit;
  if (!spec.data.is_null()) out["data"] = spec.data;
  out["profiling"] = ProfilingToValue(spec.profiling);
  out["optimizations"] = spec.optimizations;
  out["debug"] = spec.debug;
}

void PutElsewhere(const ExperimentSpec& spec, Value& out) {
  out["bind_mounts"] = BindMountsToValue(spec.bind_mounts);
  if (!spec.integrations.is_null()) out["integrations"] = spec.integrations;
  if (!spec.slurm.is_null()) out["slurm"] = spec.slurm;
  if (!spec.pbs.is_null()) out["pbs"] = spec.pbs;
  if (!spec.security.is_null()) out["security"] = spec.security;
}

void PutRunning(const ExperimentSpec& spec, Value& out) {
  out["max_restarts"] = spec.max_restarts;
  out["preemption_timeout"] = spec.preemption_timeout_seconds;
  out["log_policies"] = LogPoliciesToValue(spec.log_policies);
  if (spec.log_retention_days.has_value())
    out["retention_policy"]["log_retention_days"] = *spec.log_retention_days;
  out["reproducibility"]["experiment_seed"] = static_cast<int64_t>(spec.seed);
}

}  // namespace

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
  ReadCatalogue(reader, &spec);
  ReadEntrypoint(reader, &spec);
  reader.Required("searcher");
  spec.hparams = ParseHparams(OrNull(reader.Take("hyperparameters")), "hyperparameters", problems);
  if (const Value* searcher = reader.Take("searcher")) {
    spec.searcher = ParseSearcher(*searcher, "searcher", problems);
  }
  CheckSearchSpace(spec.searcher, spec.hparams, problems);
  spec.resources = ParseResources(OrNull(reader.Take("resources")), defaults, problems);
  spec.environment = ParseEnvironment(OrNull(reader.Take("environment")), problems);
  spec.checkpoint_storage =
      ParseStorage(OrNull(reader.Take("checkpoint_storage")), defaults, problems);
  ReadRunning(reader, &spec, problems);
  ReadTraining(reader, &spec, problems);
  ReadElsewhere(reader, &spec, problems);
  reader.Finish();
  return spec;
}

ExperimentSpec ParseRecorded(const Value& config, std::string* fault) {
  Problems problems;
  // What is recorded is complete, whatever the defaults are.
  ExperimentSpec spec = ParseExperiment(config, {.checkpoint_host_path = "/"}, &problems);
  fault->clear();
  for (const Problem& problem : problems) {
    if (problem.rule || problem.severity != Problem::Severity::kError) continue;
    *fault = StrCat(problem.path, ": ", problem.message);
    break;
  }
  return spec;
}

Value ToValue(const ExperimentSpec& spec) {
  Value out;
  PutCatalogue(spec, out);
  if (spec.entrypoint_is_shell) {
    out["entrypoint"] = spec.entrypoint[0];
  } else {
    out["entrypoint"] = ListOf(spec.entrypoint);
  }
  out["hyperparameters"] = HparamsToValue(spec.hparams);
  out["searcher"] = SearcherToValue(spec.searcher);
  out["resources"] = ResourcesToValue(spec.resources);
  out["environment"] = EnvironmentToValue(spec.environment);
  out["checkpoint_storage"] = StorageToValue(spec.checkpoint_storage);
  PutRunning(spec, out);
  PutTraining(spec, out);
  PutElsewhere(spec, out);
  return out;
}

}  // namespace det::spec
