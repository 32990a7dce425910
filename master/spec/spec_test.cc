#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "common/base/map_reader.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "master/spec/keys.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"

namespace det::spec {
namespace {

constexpr char kMinimal[] = R"({
  "entrypoint": "python3 train.py",
  "searcher": {"name": "single", "metric": "loss"}})";

const ParseDefaults kDefaults{.seed = 7, .checkpoint_host_path = "/ckpt"};

// The problems as lines "path: message (hint)"; warnings begin with "~".
std::string Lines(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    text += problem.severity == Problem::Severity::kWarning ? "~" : "";
    text += problem.path + ": " + problem.message;
    if (!problem.hint.empty()) text += " (" + problem.hint + ")";
    text += "\n";
  }
  return text;
}

std::string Check(std::string_view json, ExperimentSpec* spec = nullptr) {
  Problems problems;
  const absl::StatusOr<Value> value = ParseJson(json);
  EXPECT_TRUE(value.ok()) << value.status();
  ExperimentSpec parsed = ParseExperiment(*value, kDefaults, &problems);
  if (spec != nullptr) *spec = parsed;
  return Lines(problems);
}

std::string CheckNames(std::string_view json) {
  Problems problems;
  CheckEntrypoint(ParseExperiment(*ParseJson(json), kDefaults, &problems), &problems);
  return Lines(problems);
}

std::string CheckSizes(std::string_view json) {
  Problems problems;
  const ExperimentSpec spec = ParseExperiment(*ParseJson(json), kDefaults, &problems);
  EXPECT_EQ(Lines(problems), "");
  CheckStart(spec, &problems);
  return Lines(problems);
}

// kMinimal with one more top-level member.
std::string With(std::string_view member) {
  std::string text(kMinimal);
  text.replace(text.rfind('}'), 1, "," + std::string(member) + "}");
  return text;
}

TEST(Spec, DefaultsAreDetermineds) {
  ExperimentSpec spec;
  EXPECT_EQ(Check(kMinimal, &spec), "");
  EXPECT_TRUE(spec.entrypoint_is_shell);
  EXPECT_EQ(spec.max_restarts, 5);
  EXPECT_EQ(spec.resources.slots_per_trial, 1);
  EXPECT_EQ(spec.resources.priority, 42);
  EXPECT_EQ(spec.preemption_timeout_seconds, 3600);
  EXPECT_TRUE(spec.searcher.smaller_is_better);
  EXPECT_EQ(spec.seed, 7U);
  EXPECT_EQ(spec.checkpoint_storage.Directory(), "/ckpt");
  EXPECT_EQ(spec.checkpoint_storage.save_trial_best, 1);
}

constexpr char kFull[] = R"({
  "name": "digits", "description": "d", "entrypoint": ["python3", "t.py", "--lr", "${hp.lr}"],
  "hyperparameters": {
    "c": 3, "list": [1, "a"], "nested": {"x": {"type": "const", "val": {"k": 1}}, "empty": {}},
    "i": {"type": "int", "minval": 1, "maxval": 9, "count": 3, "step": 2, "scale": "log"},
    "d": {"type": "double", "minval": 0.5, "maxval": 2, "count": 2, "scale": "reverse_log", "step": 0.5},
    "l": {"type": "log", "minval": -3, "maxval": -1, "base": 10, "count": 2},
    "cat": {"type": "categorical", "vals": ["a", 1, null, {"z": 2}]},
    "disc": {"type": "discrete", "vals": [3, 1, 2.5]},
    "cond": {"type": "int", "minval": 0, "maxval": 4, "when": {"nested.x": [1, 2]}}},
  "searcher": {"name": "adaptive_asha", "metric": "acc", "smaller_is_better": false, "max_trials": 24,
    "mode": "aggressive", "divisor": 3, "max_rungs": 4, "bracket_rungs": [3, 1], "max_concurrent_trials": 2,
    "time_metric": "epochs", "max_time": 27, "source_checkpoint_uuid": "abc"},
  "resources": {"slots_per_trial": 2, "resource_pool": "gpu", "priority": 10,
    "weight": 0.5, "max_slots": 0, "is_single_node": true, "shm_size": "1.5 GiB",
    "devices": ["/dev/a:/dev/b", {"host_path": "/dev/c", "container_path": "/d", "mode": "r"}]},
  "environment": {"environment_variables": {"cpu": ["A=1"], "cuda": ["B=2", "C"]},
    "image": {"gpu": "i"}, "force_pull_image": true, "registry_auth": {"environment": "AUTH"},
    "add_capabilities": ["A"], "drop_capabilities": ["B"], "ports": {"x": 1},
    "proxy_ports": [{"proxy_port": 80, "proxy_tcp": true}], "pod_spec": {"spec": {}}},
  "checkpoint_storage": {"type": "shared_fs", "host_path": "/data", "storage_path": "a/b", "save_trial_best": 3},
  "max_restarts": 0, "preemption_timeout": 60, "reproducibility": {"experiment_seed": 4294967295},
  "data": {"url": "x"}, "labels": ["b", "a", "b"], "workspace": "w", "project": "p",
  "log_policies": [{"name": "CUDA OOM"}, {"name": "n", "pattern": ".*x", "action": "exclude_node"},
    {"pattern": "y", "action": {"type": "cancel_retries"}}, {"name": "label", "pattern": "z"}],
  "retention_policy": {"log_retention_days": -1}, "debug": true,
  "bind_mounts": [{"host_path": "/a", "container_path": "b", "read_only": true}],
  "checkpoint_policy": "none", "min_validation_period": {"epochs": 2},
  "min_checkpoint_period": {"records": 0}, "perform_initial_validation": true,
  "records_per_epoch": 10, "scheduling_unit": 1, "optimizations": {"mixed_precision": "O2"},
  "profiling": {"enabled": true, "begin_on_batch": 3, "end_after_batch": 3, "sync_timings": false},
  "integrations": {"webhooks": {"webhook_id": [1], "webhook_name": ["a"]}, "pachyderm": {
    "pachd": {"host": "h", "port": 1}, "proxy": {"scheme": "s", "host": "h", "port": 2},
    "dataset": {"project": "p", "repo": "r", "commit": "c", "branch": "b",
                "token": {"secret": "t"}}}},
  "slurm": {"slots_per_node": 1, "gpu_type": "g", "sbatch_args": ["a"]},
  "pbs": {"pbsbatch_args": ["b"]}, "security": {"kerberos": {"config_file": "k"}}})";

TEST(Spec, EffectiveConfigurationParsesToItself) {
  ExperimentSpec spec;
  EXPECT_EQ(Check(kFull, &spec), "");
  ExperimentSpec again;
  EXPECT_EQ(Check(ToValue(spec).ToJson(), &again), "");
  EXPECT_TRUE(spec == again) << ToValue(spec).ToPrettyJson() << ToValue(again).ToPrettyJson();
  EXPECT_EQ(spec.checkpoint_storage.Directory(), "/data/a/b");
}

TEST(Spec, UnknownKeysNameTheNearest) {
  EXPECT_EQ(Check(With(R"("max_restart": 3)")),
            "max_restart: unknown key \"max_restart\" (did you mean \"max_restarts\"?)\n");
  EXPECT_EQ(Check(With(R"("qqqq": 3)")), "qqqq: unknown key \"qqqq\"\n");
  EXPECT_EQ(Check(With(R"("resources": {"slot_per_trial": 1})")),
            "resources.slot_per_trial: unknown key \"slot_per_trial\" (did you mean "
            "\"slots_per_trial\"?)\n");
}

// An entrypoint beside hyperparameters of every shape.
std::string WithEntrypoint(const std::string& entrypoint) {
  return R"({"entrypoint": )" + entrypoint + R"(, "searcher": {"name": "single", "metric": "m"},
    "hyperparameters": {"lr": 0.1, "net": {"depth": {"type": "int", "minval": 1, "maxval": 2}},
      "a.b": 1, "opt": {"type": "categorical", "vals": ["sgd", {"adam": {"eps": 1}}]},
      "late": {"type": "int", "minval": 1, "maxval": 2, "when": {"lr": [1]}}}})";
}

TEST(Spec, TemplatesAreNotInQuotes) {
  const auto problems = [](const std::string& command) {
    return CheckNames(WithEntrypoint(Value(command).ToJson()));
  };
  const std::string hint = " (leave out the quotes: values are quoted for the shell)\n";
  EXPECT_EQ(problems(R"(x --lr "${hp.lr}")"),
            "entrypoint: has ${hp.lr} inside double quotes, 8 bytes from its beginning" + hint);
  EXPECT_EQ(problems(R"(x --lr='a ${hp.lr}')"),
            "entrypoint: has ${hp.lr} inside single quotes, 10 bytes from its beginning" + hint);
  for (const char* good : {R"("x y" ${hp.lr} 'z' ${hp.lr})",
                           R"(x \" ${hp.lr} \')",
                           R"(x "\"" ${hp.lr})",
                           R"(x '"' ${hp.lr} "'")",
                           R"t(x "$(y ${hp.lr} "z")" ${hp.lr})t",
                           R"(x `y ${hp.lr}`)",
                           "x # don't\ny ${hp.lr}",
                           "x a#'b' ${hp.lr}",
                           "x <<EOF\ndon't ${hp.lr}'\nEOF",
                           R"(x "${HOME}" "${hp.open)"}) {
    EXPECT_EQ(problems(good), "") << good;
  }
  for (const char* bad : {R"t(x "$(y "${hp.lr}")")t",
                          R"t(x "$(y)${hp.lr}")t",
                          R"(x "\"${hp.lr}")",
                          R"(x "'${hp.lr}'")",
                          R"(x (y) '${hp.lr}')",
                          R"(x '\' '${hp.lr}')"}) {
    EXPECT_NE(problems(bad).find("quotes, "), std::string::npos) << bad;
  }
  EXPECT_EQ(CheckNames(WithEntrypoint(R"(["sh", "-c", "x \"${hp.lr}\""])")), "");
}

TEST(Spec, AnEntrypointNamesOnlyHyperparametersThatExist) {
  EXPECT_EQ(
      Check(WithEntrypoint(
          R"("x ${hp.lr} ${hp.net.depth} ${hp.net} ${hp.a.b} ${hp.opt} ${hp.opt.adam.eps} ${hp.late} ${HOME} ${hp.open")")),
      "");
  EXPECT_EQ(CheckNames(WithEntrypoint(R"("x ${hp.rl} ${hp.rl}")")),
            "entrypoint: names ${hp.rl}, and there is no such hyperparameter (did you mean "
            "${hp.lr}?)\n");
  EXPECT_EQ(
      CheckNames(WithEntrypoint(R"(["x", "${hp.net.dept}", "${hp.opt.adam.eta}", "${hp.}"])")),
      "entrypoint[1]: names ${hp.net.dept}, and there is no such hyperparameter (did you "
      "mean ${hp.net.depth}?)\n"
      "entrypoint[2]: names ${hp.opt.adam.eta}, and there is no such hyperparameter\n"
      "entrypoint[3]: names ${hp.}, and there is no such hyperparameter\n");
  EXPECT_EQ(
      CheckNames(R"({"entrypoint": "${hp.x}", "searcher": {"name": "single", "metric": "m"}})"),
      "entrypoint: names ${hp.x}, and there is no such hyperparameter (the configuration "
      "has no hyperparameters)\n");
}

std::string CheckCurrentOf(std::string_view json) {
  Problems problems;
  CheckCurrent(*ParseJson(json), &problems);
  return Lines(problems);
}

TEST(Spec, KeysWithoutEffectAreNamedOnce) {
  EXPECT_EQ(CheckCurrentOf(With(R"("bind_mounts": [{}, {}], "environment": {"image": "x"},
                                   "integrations": {"webhooks": {"exclude": true}},
                                   "profiling": {"enabled": true, "begin_on_batch": 1})")),
            "~environment.image: is accepted but has no effect in this version\n"
            "~bind_mounts: is accepted but has no effect in this version\n"
            "~profiling.enabled: is accepted but has no effect in this version\n"
            "~integrations: is accepted but has no effect in this version\n");
  EXPECT_EQ(CheckCurrentOf(With(R"("slurm": null, "pbs": {}, "bind_mounts": [],
                                   "profiling": {"enabled": false})")),
            "");
}

TEST(Spec, AshaByMaxLengthIsNotCurrent) {
  const std::string asha = R"("searcher": {"name": "adaptive_asha", "max_length": 3)";
  EXPECT_EQ(CheckCurrentOf("{" + asha + R"(, "time_metric": "epochs"}})"), "");
  EXPECT_EQ(
      CheckCurrentOf("{" + asha + "}}"),
      "searcher.max_length: is no longer supported by adaptive_asha, which measures time by a "
      "metric that trials report (write time_metric and max_time instead, as in time_metric: "
      "epochs, max_time: 10)\n");
  EXPECT_EQ(CheckCurrentOf(R"({"searcher": {"name": "single", "max_length": 3}})"), "");
}

std::string KeyTable() {
  std::string table = "| Key | Type | Default | Meaning | Effect |\n|---|---|---|---|---|\n";
  for (const Key& key : Keys()) {
    const std::string given = key.default_value.empty() ? "" : StrCat("`", key.default_value, "`");
    StrAppend(table, "| `", key.path, "` | ", key.type, " | ", given, " | ", key.meaning, " | ");
    StrAppend(table, EffectText(key.effect), " |\n");
  }
  return table;
}

// DET_UPDATE_GOLDEN=1 writes it there.
TEST(Spec, TheGuideListsEveryKey) {
  const std::string path = StrCat(DET_SOURCE_DIR, "/docs/guide/configuration.md");
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string begin = "<!-- keys -->\n";
  const size_t from = text.find(begin) + begin.size();
  const size_t to = text.find("<!-- /keys -->");
  ASSERT_LT(from, to + 1);
  const std::string listed = text.substr(from, to - from);
  if (std::getenv("DET_UPDATE_GOLDEN") != nullptr)
    std::ofstream(path) << text.replace(from, to - from, KeyTable());
  EXPECT_EQ(listed, KeyTable());
}

void AddPaths(const Value& value, const std::string& path, std::set<std::string>* paths) {
  if (!path.empty()) paths->insert(path);
  if (path.ends_with(".*")) return;
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) {
      AddPaths(item, path == "hyperparameters" ? "hyperparameters.*" : JoinPath(path, key), paths);
    }
  } else if (value.is_array() && !value.as_array().empty() && value.as_array()[0].is_object()) {
    AddPaths(value.as_array()[0], path + "[]", paths);
  }
}

// Every key that takes effect is in the table, or below one that is.
TEST(Spec, TheTableOfKeysIsWhole) {
  ExperimentSpec spec;
  Check(kFull, &spec);
  std::set<std::string> paths;
  AddPaths(ToValue(spec), "", &paths);
  std::set<std::string> known;
  for (const Key& key : Keys()) EXPECT_TRUE(known.insert(std::string(key.path)).second) << key.path;
  for (const std::string& path : paths) {
    const std::string above = path.substr(0, path.find_first_of(".["));
    const bool free = path.ends_with("[]") || above == "integrations" || above == "slurm" ||
                      above == "pbs" || above == "security" || path.starts_with("data.") ||
                      path.starts_with("environment.") || path.starts_with("min_") ||
                      path.starts_with("searcher.max_length") ||
                      path.starts_with("hyperparameters.");
    EXPECT_TRUE(known.contains(path) || (free && known.contains(above))) << path;
  }
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// A rule may become stricter: what was recorded under the older one is read as it was.
TEST(Spec, RulesDoNotCountForWhatIsRecorded) {
  ExperimentSpec spec;
  EXPECT_EQ(Check(kFull, &spec), "");
  const std::string json = ToValue(spec).ToJson();
  const std::pair<std::string, std::string> broken[] = {
      {R"("priority":10)", R"("priority":1000)"},
      {R"("name":"digits")", "\"name\":\"" + std::string(10000, 'x') + "\""},
      {R"("name":"digits")", R"("name":"\n\u001b[31m")"},
      {R"("max_restarts":0)", R"("max_restarts":-7)"},
      {R"("weight":0.5)", R"("weight":-1.0)"},
      {R"("divisor":3.0)", R"("divisor":1.0)"},
      {R"("bracket_rungs":[3,1])", R"("bracket_rungs":[3,-1])"},
      {R"("source_checkpoint_uuid":"abc")",
       R"("source_checkpoint_uuid":"abc","source_trial_id":-3)"},
      {R"("labels":["a","b"])", R"("labels":["","b\n"])"},
      {R"("project":"p","rec)", R"("rec)"},
      {R"("minval":1)", R"("minval":100)"},
      {R"("A=1")", R"("DET_A=1")"},
      {R"("/a")", R"("a/../b")"},
      {R"("/dev/a")", R"("a")"},
      {R"("name":"n")", R"("name":"label")"},
      {R"("scheduling_unit":1)", R"("scheduling_unit":0)"},
      {R"("proxy_port":80)", R"("proxy_port":80000)"},
      {R"("begin_on_batch":3)", R"("begin_on_batch":4)"},
      {R"("nested.x":[1,2])", R"("gone":[1,2])"},
  };
  for (const auto& [from, to] : broken) {
    const std::string recorded = Replaced(json, from, to);
    EXPECT_NE(Check(recorded), "") << to;
    std::string fault;
    const ExperimentSpec read = ParseRecorded(*ParseJson(recorded), &fault);
    EXPECT_EQ(fault, "") << to;
    Value expected = *ParseJson(recorded);
    EXPECT_EQ(ToValue(read).ToJson(), expected.ToJson()) << to;
  }
  std::string fault;
  ParseRecorded(*ParseJson(Replaced(json, R"("priority":10)", R"("priority":"x")")), &fault);
  EXPECT_EQ(fault, "resources.priority: must be a whole number, not a string");
  ParseRecorded(*ParseJson(Replaced(json, R"("debug")", R"("gone")")), &fault);
  EXPECT_EQ(fault, "");  // a key that was dropped since
}

TEST(Spec, OlderMaxLength) {
  ExperimentSpec spec;
  EXPECT_EQ(
      Check(
          R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m", "max_length": {"epochs": 3}}})",
          &spec),
      "");
  EXPECT_EQ(spec.searcher.max_length, (Length{LengthUnit::kEpochs, 3}));
  EXPECT_EQ(
      Check(
          R"({"entrypoint": "x", "searcher": {"name": "adaptive_asha", "metric": "m", "max_trials": 2,
                         "max_length": {"batches": 64}}})",
          &spec),
      "~searcher.max_length: is the older form; taken as time_metric: batches, max_time: 64\n");
  const auto& asha = std::get<AdaptiveAshaSpec>(spec.searcher.method);
  EXPECT_EQ(asha.time_metric, "batches");
  EXPECT_EQ(asha.max_time, 64);
  EXPECT_NE(ToValue(spec).FindPath("searcher.max_length.batches"), nullptr);
  EXPECT_EQ(Check(R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m",
                         "max_length": {"batches": 1, "epochs": 2}}})"),
            "searcher.max_length: must have exactly one of batches, epochs, records\n");
}

struct Bad {
  const char* json;
  const char* problems;
};

class BadInput : public testing::TestWithParam<Bad> {};

TEST_P(BadInput, IsNamed) {
  EXPECT_EQ(Check(GetParam().json), GetParam().problems);
}

INSTANTIATE_TEST_SUITE_P(
    Spec,
    BadInput,
    testing::ValuesIn(std::vector<Bad>{
        {"null", ": the configuration is empty\n"},
        {"[1]", ": must be a map, not a list\n"},
        {R"({"entrypoint": "x"})", ": the key \"searcher\" is required\n"},
        {R"({"searcher": {"name": "single", "metric": "m"}})",
         ": the key \"entrypoint\" is required\n"},
        {R"({"entrypoint": ["a", 1], "searcher": {"name": "single", "metric": "m"}})",
         "entrypoint[1]: must be a string, not an integer (put numbers in quotes)\n"},
        {R"({"entrypoint": "", "searcher": {"name": "single", "metric": "m"}})",
         "entrypoint: is empty\n"},
        {R"({"entrypoint": "a\u0000b", "searcher": {"name": "single", "metric": "m"}})",
         "entrypoint: contains a NUL byte\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "sngle", "metric": "m"}})",
         "searcher.name: \"sngle\" is not one of \"single\", \"random\", \"grid\", "
         "\"async_halving\", "
         "\"adaptive_asha\" (did you mean \"single\"?)\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "adaptive_simple", "metric": "m"}})",
         "searcher.name: the searcher \"adaptive_simple\" is no longer supported (use "
         "adaptive_asha, with "
         "time_metric and max_time)\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "random", "metric": "m", "max_trials": 0}})",
         "searcher.max_trials: is 0, must be from 1 to 1000000\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "random", "metric": "m", "max_trials": 1e30}})",
         "searcher.max_trials: must be a whole number, not 1e+30\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "adaptive_asha", "metric": "m", "max_trials": 4, "divisor": 1}})",
         "searcher.divisor: is 1.0, must be above 1 and at most 1e+06\n"
         "searcher: the key \"time_metric\" is required\nsearcher: the key \"max_time\" is "
         "required\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "grid", "metric": "m"},
         "hyperparameters": {"a": {"b": {"type": "double", "minval": 0, "maxval": 1}}}})",
         "hyperparameters.a.b: needs the key \"count\" for a grid search\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "grid", "metric": "m"},
         "hyperparameters": {"a": {"type": "int", "minval": 0, "maxval": 9999, "count": 9999},
                             "b": {"type": "int", "minval": 0, "maxval": 9999, "count": 9999}}})",
         "hyperparameters: the grid has 9.998e+07 points, at most 1000000 are allowed\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "hyperparameters": {"a": {"type": "double", "minval": 2, "maxval": 1}}})",
         "hyperparameters.a.minval: is 2.0, must be less than maxval (1.0)\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "hyperparameters": {"a": {"type": "double", "minval": -1.5e308, "maxval": 1.5e308}}})",
         "hyperparameters.a.maxval: makes a range that is wider than a double holds\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "hyperparameters": {"a": {"type": "double", "minval": "NaN", "maxval": 1}}})",
         "hyperparameters.a.minval: must be a number, not a string\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "hyperparameters": {"a": {"type": "double", "minval": 0, "maxval": 1, "scale": "log"}}})",
         "hyperparameters.a.minval: is 0.0, must be above 0 on a logarithmic scale\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "hyperparameters": {"a": {"type": "log", "minval": 0.0001, "maxval": 1000, "base": 10}}})",
         "hyperparameters.a.maxval: base^minval or base^maxval is beyond what a double holds "
         "(minval and maxval of `type: log` are exponents, not values)\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "hyperparameters": {"a": {"type": "int", "minval": 0, "maxval": 1, "when": {"b": [1]}}}})",
         "hyperparameters.a.when: \"b\" is not a hyperparameter\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "environment": {"environment_variables": ["DET_X=1", "=2", 3]}})",
         "environment.environment_variables[0]: the variable DET_X is reserved: names with DET_ "
         "are "
         "set by det\n"
         "environment.environment_variables[1]: \"=2\" is not of the form NAME=value\n"
         "environment.environment_variables[2]: must be a string, not an integer\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "checkpoint_storage": {"type": "azure", "container": "b"}})",
         "checkpoint_storage.type: the storage \"azure\" is not supported yet (use shared_fs, "
         "directory, s3 or gcs)\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"},
         "checkpoint_storage": {"type": "shared_fs", "host_path": "/a", "storage_path": "../b"}})",
         "checkpoint_storage.storage_path: must not contain \"..\"\n"},
        {R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "m"}, "resources": {"slots": 2}})",
         "resources.slots: is not for experiments (use resources.slots_per_trial)\n"},
    }));

TEST(Spec, BoundsAreHeld) {
  std::string deep = "1";
  for (int i = 0; i < 40; ++i) deep = StrCat(R"({"a":)", deep, "}");
  EXPECT_NE(Check(With(R"("hyperparameters":)" + deep)).find("nested deeper than 20"),
            std::string::npos);
  std::string many = "{";
  for (int64_t i = 0; i <= kHparamsMax; ++i) many += "\"p" + std::to_string(i) + "\":1,";
  many.back() = '}';
  EXPECT_NE(Check(With(R"("hyperparameters":)" + many)).find("more than 1000"), std::string::npos);
  EXPECT_NE(Check(With(R"("name":")" + std::string(300, 'x') + "\"")).find("at most 256"),
            std::string::npos);
}

TEST(Spec, FreeValuesAreStorable) {
  EXPECT_EQ(Check(With(R"("data": {"a": ["x\u0000"], "b\u0000": 1}, "hyperparameters": {
      "c": "\u0000", "d": {"type": "categorical", "vals": [1, ["\u0000"]]}, "e\u0000": 1,
      "f": {"type": "const", "val": {"x": "\u0000"}}})")),
            "hyperparameters.c: contains a NUL byte\n"
            "hyperparameters.d.vals[1][0]: contains a NUL byte\n"
            "hyperparameters: has a name with a NUL byte\n"
            "hyperparameters.f.val.x: contains a NUL byte\n"
            "data.a[0]: contains a NUL byte\n"
            "data: has a key with a NUL byte\n");
  Problems problems;
  Value space;
  space["x"] = std::numeric_limits<double>::infinity();
  ParseHparams(space, "hyperparameters", &problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].message, "is Infinity, must be finite");
}

// Neither hints nor paths are made for each of very many mistakes.
TEST(Spec, ManyMistakesCostLittle) {
  std::string keys = "{";
  for (int i = 0; i < 100000; ++i) keys += "\"max_trial" + std::to_string(i) + "\":1,";
  keys.back() = '}';
  Problems problems;
  ParseExperiment(*ParseJson(keys), kDefaults, &problems);
  EXPECT_TRUE(HasErrors(problems));
  EXPECT_LE(problems.size(), kProblemsMax);

  std::string space = "{";
  for (int i = 0; i < 50000; ++i) {
    space += "\"p" + std::to_string(i) +
             R"(":{"type":"int","minval":0,"maxval":1,"when":{"no.such":[1]}},)";
  }
  space.back() = '}';
  problems.clear();
  EXPECT_LE(ParseHparams(*ParseJson(space), "hyperparameters", &problems).size(),
            static_cast<size_t>(kHparamsMax) + 1);
  EXPECT_TRUE(HasErrors(problems));
}

TEST(Spec, ConditionsFindNamesWithDots) {
  EXPECT_EQ(Check(With(R"("hyperparameters": {
      "a.b": {"c": 1}, "a": {"b.c": 2, "b": {"d": 3}},
      "x": {"type": "int", "minval": 0, "maxval": 1, "when": {"a.b.c": [1]}},
      "y": {"type": "int", "minval": 0, "maxval": 1, "when": {"a.b.d": [1]}},
      "z": {"type": "int", "minval": 0, "maxval": 1, "when": {"a.b": [1]}}})")),
            "hyperparameters.z.when: \"a.b\" is not a hyperparameter\n");
}

// A configuration that may be larger than is good to write down.
Value Sized(Value entrypoint) {
  Value config;
  config["entrypoint"] = std::move(entrypoint);
  config["searcher"]["name"] = "single";
  config["searcher"]["metric"] = "loss";
  return config;
}
constexpr size_t kMostOfOne = static_cast<size_t>(kExecStringBytesMax);

TEST(Spec, AnEntrypointThatLinuxDoesNotTakeIsRefused) {
  const auto check = [](Value entrypoint) {
    return CheckSizes(Sized(std::move(entrypoint)).ToJson());
  };
  const std::string hint = " (put it into a script in the model directory)\n";
  EXPECT_EQ(check(std::string(kMostOfOne, 'x')), "");
  EXPECT_EQ(check(std::string(kMostOfOne + 1, 'x')),
            "entrypoint: is up to 131072 bytes with hyperparameters in it, at most 131071 are "
            "allowed" +
                hint);
  EXPECT_EQ(check(Value::Array{"x", std::string(kMostOfOne, 'x'), std::string(kMostOfOne, 'x')}),
            "");
  EXPECT_EQ(check(Value::Array{"x", std::string(kMostOfOne + 1, 'x')}),
            "entrypoint[1]: is up to 131072 bytes with hyperparameters in it, at most 131071 are "
            "allowed" +
                hint);
  EXPECT_EQ(check(Value::Array(3, Value(std::string(100000, 'x')))),
            "entrypoint: is up to 300000 bytes with hyperparameters in it, at most 262144 are "
            "allowed" +
                hint);
}

// By the longest that may come in its place.
TEST(Spec, AnEntrypointIsMeasuredWithItsHyperparameters) {
  const auto bytes = [](Value entrypoint) {
    Value config = Sized(std::move(entrypoint));
    Value& hparams = config["hyperparameters"];
    hparams["text"]["type"] = "categorical";
    hparams["text"]["vals"] = Value::Array{"a", std::string(5000, 'b'), std::string(3000, '\'')};
    hparams["map"]["inner"] = "c";
    hparams["map"]["n"]["type"] = "int";
    hparams["map"]["n"]["minval"] = 0;
    hparams["map"]["n"]["maxval"] = 9;
    std::string line = CheckSizes(config.ToJson());
    const std::string up_to = "is up to ";
    const size_t at = line.find(up_to);
    return at == std::string::npos ? 0 : std::stol(line.substr(at + up_to.size()));
  };
  std::string text;
  std::string map;
  for (int i = 0; i < 30; ++i) text += "${hp.text} ";
  for (int i = 0; i < 3000; ++i) map += "${hp.map}";
  EXPECT_EQ(bytes(Value::Array{text}), 30 * 5001);
  EXPECT_EQ(bytes(text), 30 * (3000 + 9000 + 2 + 1));
  EXPECT_GE(bytes(map), 3000 * 22);  // '{"inner":"c","n":9}'
  EXPECT_EQ(bytes("${hp.map.inner} ${hp.text}"), 0);
  // Names with a great many dots cost little.
  EXPECT_NE(CheckNames(Sized("${hp." + std::string(200000, '.') + "}").ToJson()), "");
}

TEST(Spec, AnEnvironmentThatLinuxDoesNotTakeIsRefused) {
  const auto check = [](Value variables) {
    Value config = Sized("x");
    config["environment"]["environment_variables"] = std::move(variables);
    return CheckSizes(config.ToJson());
  };
  const std::string at = "environment.environment_variables: ";
  const std::string hint = " (put large values into a file of the model directory)\n";
  EXPECT_EQ(check(Value::Array{"A=" + std::string(kMostOfOne - 2, 'x')}), "");
  EXPECT_EQ(check(Value::Array{"A=" + std::string(kMostOfOne - 1, 'x')}),
            at + "has the variable \"A\" of 131072 bytes, at most 131071 are allowed" + hint);
  EXPECT_NE(check(Value::Array{std::string(kMostOfOne, 'N')}), "");  // "=" is added
  EXPECT_EQ(check(Value::Array(6, Value("A=" + std::string(99998, 'x')))),
            at + "has 600000 bytes on cpu slots, at most 524288 are allowed" + hint);
  // Recorded, they are one list, and are read again as one.
  Value kinds;
  kinds["gpu"] = kinds["cuda"] = Value::Array(600, Value("A=1"));
  EXPECT_EQ(check(kinds), at + "has 1200 variables on cuda slots, at most 1000 are allowed" + hint);
}

TEST(Spec, PathsOfHyperparametersAreVariablesToo) {
  const auto check = [](size_t name, size_t leaves) {
    Value config = Sized("x");
    Value* map = &config["hyperparameters"];
    for (int depth = 0; depth < 10; ++depth) map = &(*map)[std::string(name, 'n')];
    for (size_t i = 0; i < leaves; ++i) (*map)["l" + std::to_string(i)] = 1;
    return CheckSizes(config.ToJson());
  };
  EXPECT_EQ(check(10, 999), "");
  EXPECT_EQ(check(200, 10), "");
  const std::string said = check(200, 999);
  EXPECT_NE(said.find("hyperparameters: has paths of "), std::string::npos) << said;
  EXPECT_NE(said.find("at most 524288 are allowed"), std::string::npos) << said;
}

}  // namespace
}  // namespace det::spec
