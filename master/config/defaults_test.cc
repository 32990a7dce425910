#include "master/config/defaults.h"

#include <gtest/gtest.h>

#include "common/json/json.h"

namespace det::config {
namespace {

std::string Lines(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems) text += problem.path + ": " + problem.message + "\n";
  return text;
}

TEST(Defaults, TaskContainersBecomeConfigurations) {
  const Value file = *ParseJson(R"({"task_container_defaults": {
      "image": {"cuda": "i"}, "shm_size_bytes": "4g", "environment_variables": ["A=1"],
      "preemption_timeout": 60, "network_mode": "host", "bind_mounts": []}})");
  Problems problems;
  MapReader reader(file, "", &problems);
  Value config;
  ReadTaskDefaults(reader, &problems, &config);
  EXPECT_EQ(
      config.ToJson(),
      R"({"bind_mounts":[],"environment":{"environment_variables":["A=1"],"image":{"cuda":"i"}},)"
      R"("preemption_timeout":60,"resources":{"shm_size":"4g"}})");
  EXPECT_FALSE(HasErrors(problems)) << Lines(problems);
}

TEST(Defaults, AreChecked) {
  const Value file = *ParseJson(R"({"task_container_defaults": {
      "preemption_timeout": -1, "imge": "x"}, "checkpoint_storage": {"type": "s3"}})");
  Problems problems;
  MapReader reader(file, "resource_pools[0]", &problems);
  Value config;
  std::map<std::string, Secret> secrets;
  std::string folder;
  ReadTaskDefaults(reader, &problems, &config);
  ReadStorageDefault(reader, &problems, &config, &secrets, &folder);
  EXPECT_EQ(Lines(problems),
            "resource_pools[0].task_container_defaults.imge: unknown key \"imge\"\n"
            "resource_pools[0].task_container_defaults: preemption_timeout: is -1, must be from 0 "
            "to 2592000\n"
            "checkpoint_storage: the key \"bucket\" is required\n");
}

TEST(Defaults, SecretsOfTheStorageAreApart) {
  const Value file = *ParseJson(R"({"checkpoint_storage": {"type": "s3", "bucket": "b",
      "access_key": "AKIA", "secret_key": "wJal"}})");
  Problems problems;
  MapReader reader(file, "", &problems);
  Value config;
  std::map<std::string, Secret> secrets;
  std::string folder;
  ReadStorageDefault(reader, &problems, &config, &secrets, &folder);
  EXPECT_FALSE(HasErrors(problems)) << Lines(problems);
  EXPECT_EQ(config.ToJson(),
            R"({"checkpoint_storage":{"access_key":{"secret":"cluster-1"},"bucket":"b",)"
            R"("secret_key":{"secret":"cluster-2"},"type":"s3"}})");
  EXPECT_EQ(secrets["cluster-2"].Reveal(), "wJal");
  EXPECT_EQ(folder, "");
}

}  // namespace
}  // namespace det::config
