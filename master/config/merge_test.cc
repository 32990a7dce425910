#include "master/config/merge.h"

#include <gtest/gtest.h>

#include "common/json/json.h"
#include "master/config/experiment_config.h"

namespace det::config {
namespace {

struct Merged {
  MergedConfig config;
  std::string json;
  std::string At(std::string_view path) const {
    const Origin origin = config.Of(path);
    return std::to_string(origin.layer) + ":" + origin.path;
  }
};

Merged Merge(const std::vector<std::string>& layers) {
  std::vector<Value> values;
  std::vector<const Value*> pointers;
  for (const std::string& layer : layers) values.push_back(*ParseJson(layer));
  for (const Value& value : values) pointers.push_back(&value);
  Merged merged{.config = MergeConfigs(pointers)};
  merged.json = merged.config.value.ToJson();
  return merged;
}

struct Case {
  const char* name;
  std::vector<std::string> layers;
  const char* merged;
};

class MergeCases : public testing::TestWithParam<Case> {};

TEST_P(MergeCases, AreDetermineds) {
  const Merged merged = Merge(GetParam().layers);
  EXPECT_EQ(merged.json, GetParam().merged);
  EXPECT_TRUE(merged.config.problems.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Merge,
    MergeCases,
    testing::ValuesIn(std::vector<Case>{
        {"FirstWins",
         {R"({"a":1})", R"({"a":2,"b":2})", R"({"b":3,"c":3})"},
         R"({"a":1,"b":2,"c":3})"},
        {"NullIsAbsent", {R"({"a":null,"z":null})", R"({"a":2})"}, R"({"a":2,"z":null})"},
        {"ListsAreReplaced",
         {R"({"entrypoint":["a"]})", R"({"entrypoint":["b","c"]})"},
         R"({"entrypoint":["a"]})"},
        {"StructsByKey",
         {R"({"resources":{"slots_per_trial":2}})",
          R"({"resources":{"slots_per_trial":1,"priority":7}})"},
         R"({"resources":{"priority":7,"slots_per_trial":2}})"},
        {"LengthsAreReplaced",
         {R"({"min_validation_period":{"epochs":1}})",
          R"({"min_validation_period":{"batches":1}})"},
         R"({"min_validation_period":{"epochs":1}})"},
        {"SameSearcher",
         {R"({"searcher":{"name":"random","max_trials":1}})",
          R"({"searcher":{"name":"random","max_trials":2,"max_concurrent_trials":3}})"},
         R"({"searcher":{"max_concurrent_trials":3,"max_trials":1,"name":"random"}})"},
        {"OtherSearcherGivesWhatIsCommon",
         {R"({"searcher":{"name":"single"}})",
          R"({"searcher":{"name":"random","max_trials":2,"metric":"m","smaller_is_better":false}})"},
         R"({"searcher":{"metric":"m","name":"single","smaller_is_better":false}})"},
        {"SearcherNamedBelow",
         {R"({"searcher":{"max_trials":1}})", R"({"searcher":{"name":"random","metric":"m"}})"},
         R"({"searcher":{"max_trials":1,"metric":"m","name":"random"}})"},
        {"OtherStorageGivesWhatIsCommon",
         {R"({"checkpoint_storage":{"type":"s3","bucket":"b"}})",
          R"({"checkpoint_storage":{"type":"shared_fs","host_path":"/a","save_trial_best":4}})"},
         R"({"checkpoint_storage":{"bucket":"b","save_trial_best":4,"type":"s3"}})"},
        {"ParametersAreReplacedAndGroupsMerged",
         {R"({"hyperparameters":{"a":{"type":"int","minval":1},"g":{"x":1},"n":null}})",
          R"({"hyperparameters":{"a":{"type":"int","maxval":2},"g":{"y":2},"n":3,"b":{"c":1}}})"},
         R"({"hyperparameters":{"a":{"minval":1,"type":"int"},"b":{"c":1},"g":{"x":1,"y":2},"n":null}})"},
        {"ParameterOverGroup",
         {R"({"hyperparameters":{"a":{"b":1}}})",
          R"({"hyperparameters":{"a":{"type":"const","val":1}}})"},
         R"({"hyperparameters":{"a":{"b":1}}})"},
        {"DataByKeyOnce",
         {R"({"data":{"a":{"x":1},"n":null}})", R"({"data":{"a":{"y":1},"b":2,"n":1}})"},
         R"({"data":{"a":{"x":1},"b":2,"n":null}})"},
        {"MountsAreJoined",
         {R"({"bind_mounts":[{"container_path":"/a","host_path":"/1"}]})",
          R"({"bind_mounts":[{"container_path":"/a","host_path":"/2"},{"container_path":"/b","host_path":"/2"}]})"},
         R"({"bind_mounts":[{"container_path":"/a","host_path":"/1"},{"container_path":"/b","host_path":"/2"}]})"},
        {"DevicesInBothForms",
         {R"({"resources":{"devices":["/dev/x:/a:r"]}})",
          R"({"resources":{"devices":[{"container_path":"/a","host_path":"/y"},"/dev/z:/b"]}})"},
         R"({"resources":{"devices":["/dev/x:/a:r","/dev/z:/b"]}})"},
        {"Ports",
         {R"({"environment":{"proxy_ports":[{"proxy_port":1}]}})",
          R"({"environment":{"proxy_ports":[{"proxy_port":1,"proxy_tcp":true},{"proxy_port":2}]}})"},
         R"({"environment":{"proxy_ports":[{"proxy_port":1},{"proxy_port":2}]}})"},
        {"OwnVariablesLast",
         {R"({"environment":{"environment_variables":["A=1","B=1"]}})",
          R"({"environment":{"environment_variables":{"cpu":["A=2","C=2"],"gpu":["D"]}}})"},
         R"({"environment":{"environment_variables":{"cpu":["C=2","A=1","B=1"],"cuda":["D","A=1","B=1"],"rocm":["A=1","B=1"]}}})"},
        {"Images",
         {R"({"environment":{"image":{"gpu":"g"}}})", R"({"environment":{"image":"all"}})"},
         R"({"environment":{"image":{"cpu":"all","cuda":"g","rocm":"all"}}})"},
        {"CredentialsAreReplaced",
         {R"({"environment":{"registry_auth":{"username":"a"}}})",
          R"({"environment":{"registry_auth":{"password":"b"}}})"},
         R"({"environment":{"registry_auth":{"username":"a"}}})"},
        {"LabelsAreJoined",
         {R"({"labels":{"a":true,"b":false}})", R"({"labels":["c"]})"},
         R"({"labels":["a","c"]})"},
        {"PoliciesByName",
         {R"({"log_policies":[{"name":"x"},{"pattern":"p","action":"exclude_node"}]})",
          R"({"log_policies":[{"name":"x","pattern":"y"},{"pattern":"p","action":"exclude_node"},{"name":"z","pattern":"q"}]})"},
         R"({"log_policies":[{"name":"x"},{"action":"exclude_node","pattern":"p"},{"name":"z","pattern":"q"}]})"},
    }),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Merge, KnowsWhereEachValueWasWritten) {
  const Merged merged = Merge(
      {R"({"resources":{"slots_per_trial":2},"environment":{"environment_variables":["A=1"]}})",
       R"({"resources":{"priority":7},"data":{"a":{"b":[1]}},"searcher":{"name":"x"}})",
       R"({"environment":{"environment_variables":{"gpu":["G=1"]},"image":"i"},"resources":{"weight":1}})"});
  EXPECT_EQ(merged.At("resources.slots_per_trial"), "0:resources.slots_per_trial");
  EXPECT_EQ(merged.At("resources.priority"), "1:resources.priority");
  EXPECT_EQ(merged.At("resources.weight"), "2:resources.weight");
  EXPECT_EQ(merged.At("resources.none"), "0:resources.none");
  EXPECT_EQ(merged.At("data.a.b[0]"), "1:data.a.b[0]");
  EXPECT_EQ(merged.At("searcher"), "1:searcher");
  EXPECT_EQ(merged.At("environment.environment_variables.cuda[0]"),
            "2:environment.environment_variables.gpu[0]");
  EXPECT_EQ(merged.At("environment.environment_variables.cuda[1]"),
            "0:environment.environment_variables[0]");
  EXPECT_EQ(merged.At("environment.image"), "2:environment.image");
  EXPECT_EQ(merged.At(""), "0:");
}

TEST(Merge, WhatCantBeMergedIsNamed) {
  const Merged merged = Merge({R"({"resources":{"priority":1}})", R"({"resources":[1]})"});
  ASSERT_EQ(merged.config.problems.size(), 1U);
  EXPECT_EQ(merged.config.problems[0].path, "resources");
  EXPECT_EQ(merged.config.problems[0].message,
            "is a map, and elsewhere a list: they can't be merged");
}

constexpr char kFile[] = "template: base\nsearcher: {name: random, max_trials: 2}\n";

ClusterLayers Cluster(std::map<std::string, std::string> templates) {
  ClusterLayers cluster;
  cluster.find_template =
      [templates = std::move(templates)](const std::string& name) -> absl::StatusOr<std::string> {
    const auto found = templates.find(name);
    if (found == templates.end()) return absl::NotFoundError("there is no such template");
    return found->second;
  };
  cluster.defaults = *ParseJson(R"({"checkpoint_storage":{"type":"shared_fs","host_path":"/c"},
                                    "preemption_timeout":60})");
  cluster.pools["gpu"] = *ParseJson(R"({"environment":{"environment_variables":["POOL=1"]},
                                        "preemption_timeout":30})");
  return cluster;
}

absl::StatusOr<ParsedConfig> Parse(std::string text,
                                   const ClusterLayers& cluster,
                                   std::vector<std::string> overrides = {},
                                   std::string named = "") {
  return ParseExperimentConfig({.text = std::move(text),
                                .name = "t.yaml",
                                .overrides = std::move(overrides),
                                .template_name = std::move(named)},
                               {.seed = 1},
                               cluster);
}

std::string Told(const absl::StatusOr<ParsedConfig>& parsed) {
  return parsed.ok() ? "" : std::string(parsed.status().message());
}

TEST(Layers, GoOverEachOther) {
  const ClusterLayers cluster =
      Cluster({{"base", "template: root\nentrypoint: run\nsearcher: {metric: loss}\n"},
               {"root",
                "entrypoint: other\nresources: {resource_pool: gpu, priority: 9}\n"
                "log_policies: [{name: CUDA OOM}]\n"}});
  const auto parsed = Parse(kFile, cluster, {"resources.priority=3"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->spec.entrypoint, std::vector<std::string>{"run"});
  EXPECT_EQ(parsed->spec.searcher.metric, "loss");
  EXPECT_EQ(parsed->spec.resources.priority, 3);
  EXPECT_EQ(parsed->spec.resources.resource_pool, "gpu");
  EXPECT_EQ(parsed->spec.preemption_timeout_seconds, 30);
  EXPECT_EQ(parsed->spec.environment.cuda, std::vector<std::string>{"POOL=1"});
  EXPECT_EQ(parsed->spec.checkpoint_storage.Directory(), "/c");
  ASSERT_EQ(parsed->spec.log_policies.size(), 2U);
  EXPECT_EQ(parsed->spec.log_policies[0], (spec::LogPolicySpec{.name = "CUDA OOM"}));
  EXPECT_EQ(parsed->spec.log_policies[1].name, "ECC Error");
  EXPECT_EQ(spec::ToValue(parsed->spec).Find("template"), nullptr);
  // What is effective is whole: nothing goes over it a second time.
  const auto again = Parse(spec::ToValue(parsed->spec).ToJson(), cluster);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->spec == parsed->spec);
}

TEST(Layers, ErrorsNameTheirLayer) {
  ClusterLayers cluster = Cluster(
      {{"base", "entrypoint: x\nresources:\n  priority: 100\n"}, {"broken", "entrypoint: [x\n"}});
  cluster.defaults["max_restarts"] = -1;
  EXPECT_EQ(Told(Parse(kFile, cluster, {"scheduling_unit=0"})),
            R"(t.yaml:2:11: error: searcher: the key "metric" is required
    2 | searcher: {name: random, max_trials: 2}
      |           ^
template "base":3:13: error: resources.priority: is 100, must be from 1 to 99
    3 |   priority: 100
      |             ^
the cluster's defaults: error: max_restarts: is -1, must be from 0 to 1000000
--config scheduling_unit=0: error: scheduling_unit: is 0, must be from 1 to 9007199254740992)");
  EXPECT_NE(Told(Parse("entrypoint: x\n", cluster, {}, "broken")).find("template \"broken\":1:13"),
            std::string::npos)
      << Told(Parse("entrypoint: x\n", cluster, {}, "broken"));
}

TEST(Layers, CirclesOfTemplatesAreRefused) {
  const ClusterLayers cluster = Cluster({{"self", "template: self\n"},
                                         {"a", "template: b\n"},
                                         {"b", "template: a\n"},
                                         {"bad", "template: [1]\n"}});
  EXPECT_EQ(
      Told(Parse("", cluster, {}, "self")),
      "template \"self\": error: template: the templates name each other in a circle: self -> "
      "self\nhint: leave out the key template in one of them");
  EXPECT_NE(Told(Parse("template: a\n", cluster)).find("circle: a -> b -> a"), std::string::npos);
  EXPECT_EQ(Told(Parse("template: gone\n", cluster)),
            "t.yaml: error: template: \"gone\": there is no such template");
  EXPECT_NE(Told(Parse("template: bad\n", cluster)).find("must be the name of a template"),
            std::string::npos);
  EXPECT_EQ(
      Told(Parse("template: a\n", cluster, {}, "b")),
      "t.yaml: error: template: names \"a\", and \"b\" was asked for\nhint: name one of them");
  EXPECT_EQ(Told(Parse("template: a\n", {})),
            "t.yaml: error: template: \"a\": the cluster has no templates");
  ClusterLayers endless;
  endless.find_template = [](const std::string& name) { return "template: " + name + "x\n"; };
  EXPECT_NE(Told(Parse("", endless, {}, "x")).find("more than 10 templates"), std::string::npos);
}

}  // namespace
}  // namespace det::config
