#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

#include "common/base/secret.h"
#include "common/base/value.h"
#include "common/log/log.h"
#include "master/scheduler/types.h"

namespace det::config {

// det-master's own configuration, complete. deploy/config/master.yaml explains every key.
struct MasterConfig {
  std::string data_dir;
  std::string db_url;  // libpq's; "": a private PostgreSQL under data_dir
  std::string host = "127.0.0.1";
  int grpc_port = 8090;  // 0: a free one
  int http_port = 8080;
  std::string checkpoint_path;  // host_path where an experiment names no storage
  scheduler::Rules rules;
  int64_t default_priority = 42;                   // of an experiment that names none
  std::map<std::string, int64_t> pool_priorities;  // the same, of the pools that are described
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;             // "": standard error
  int64_t log_retention_days = -1;  // where an experiment says nothing; -1: for ever
  std::map<std::string, std::string> user_token_files;  // user -> file
  // What experiments stand on (master/config/layers.h), and the secrets that it refers to.
  Value experiment_defaults;
  std::map<std::string, Value> pool_defaults;
  std::map<std::string, Secret> secrets;
};

// Reads the file, if one is named; `data_dir`, if not empty, goes over it. kInvalidArgument with
// every problem rendered, as for experiments.
absl::StatusOr<MasterConfig> LoadMasterConfig(const std::string& path, const std::string& data_dir);

}  // namespace det::config
