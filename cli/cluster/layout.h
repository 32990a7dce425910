#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "cli/client/connection.h"

namespace det::cli {

// Where the files of a cluster on this machine lie: all below one directory.
class Layout {
 public:
  explicit Layout(std::string data) : data_(std::move(data)) {}

  const std::string& data() const { return data_; }
  std::string settings() const { return data_ + "/up.json"; }
  std::string lock() const { return data_ + "/up.lock"; }
  std::string master_config() const { return data_ + "/master.yaml"; }
  std::string master_data() const { return data_ + "/master"; }
  std::string master_ready() const { return data_ + "/master/master.json"; }
  std::string master_lock() const { return data_ + "/master/master.lock"; }
  std::string master_log() const { return data_ + "/master.log"; }
  std::string postgres_pid() const { return data_ + "/master/postgres/data/postmaster.pid"; }
  std::string token(const std::string& name) const { return data_ + "/master/tokens/" + name; }
  std::string agent_config() const { return data_ + "/agent.yaml"; }
  std::string agent_data() const { return data_ + "/agent"; }
  std::string agent_log() const { return data_ + "/agent.log"; }

 private:
  std::string data_;
};

// The directory that is named; else that of the cluster that `det up` started last, if it is still
// there; else /var/lib/det for root, and det below the user's data directory for others.
absl::StatusOr<Layout> FindLayout(const std::string& data_dir, const GetEnv& getenv);

// Adds to an error about permissions what to do about them.
absl::Status ExplainPlace(absl::Status status);

}  // namespace det::cli
