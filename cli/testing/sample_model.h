#pragma once

#include "absl/time/time.h"

#include "cli/testing/fake_master.h"

namespace det::cli {

// The moment at which SampleModel is looked at.
absl::Time SampleNow();

// A cluster with two agents and three experiments: 7 runs, 6 has completed, 5 has failed.
Model SampleModel();

}  // namespace det::cli
