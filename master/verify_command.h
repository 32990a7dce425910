#pragma once

#include "absl/status/status.h"

#include "master/config/master_config.h"

namespace det::master {

// det-master --verify-journal: replays the cluster's journal from its first event and compares the
// state after every commit with the hash that was recorded then. Prints one line,
//   events=1234 commits=321 hash=0123456789abcdef ok=true
// and kDataLoss says what is wrong. Changes nothing; also while a master runs on the data
// directory.
absl::Status VerifyJournalOf(const config::MasterConfig& config);

}  // namespace det::master
