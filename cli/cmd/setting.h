#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "cli/client/client.h"

namespace det::cli {

// What is to be changed of a living experiment, as it was typed.
struct Setting {
  std::string name;  // "priority", "weight", "max-slots", "pool", "log-retention", ...
  std::string value;
};

// Those of the queue, by which `det job` goes.
const std::vector<std::string>& JobSettings();

// INVALID_ARGUMENT for what is no number where one must be; ranges are the master's to check.
absl::Status Fill(const Setting& setting, api::ConfigureExperimentRequest* request);

}  // namespace det::cli
