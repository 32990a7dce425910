#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "cli/cluster/layout.h"

namespace det::cli {

// What `det up` was asked for and has chosen: it holds from one time to the next.
struct Settings {
  int64_t grpc_port = 8090;
  int64_t http_port = 8080;
  int64_t slots = 0;  // 0: one for each core
  std::string db_url;
  // Of the configurations as they were written last, so that a change by hand is noticed.
  std::string master_hash;
  std::string agent_hash;
};

// The defaults where there are none yet.
absl::StatusOr<Settings> ReadSettings(const Layout& layout);
absl::Status WriteSettings(const Layout& layout, const Settings& settings);

// Whether somebody has written or changed the file since its hash was taken.
absl::StatusOr<bool> IsEdited(const std::string& path, const std::string& hash);

// Write the configuration of a program and note its hash.
absl::Status WriteMasterConfig(const Layout& layout, Settings* settings);
absl::Status WriteAgentConfig(const Layout& layout,
                              const std::string& master_address,
                              Settings* settings);

}  // namespace det::cli
