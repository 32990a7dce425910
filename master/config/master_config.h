#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

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
  std::string log_file;                                 // "": standard error
  std::map<std::string, std::string> user_token_files;  // user -> file
};

// Reads the file, if one is named; `data_dir`, if not empty, goes over it. kInvalidArgument with
// every problem rendered, as for experiments.
absl::StatusOr<MasterConfig> LoadMasterConfig(const std::string& path, const std::string& data_dir);

}  // namespace det::config
