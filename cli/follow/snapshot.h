#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

// Following an experiment: what is known of it at one moment, as plain data. Pure: the frame drawn
// from it (frame.h) and the changes between two of them (changes.h) are functions of it alone.
namespace det::cli::follow {

struct TrialSnapshot {
  int64_t id = 0;
  std::string state;
  std::optional<double> latest;  // the searcher's metric
  std::optional<double> best;
  int64_t steps = 0;    // of the latest validation, in batches
  double progress = 0;  // 0..1
  std::string agent;
  std::string hparams;  // "layers=3 lr=0.1"
};

struct Snapshot {
  int64_t experiment = 0;
  std::string name;
  std::string state;
  std::string reason;
  std::string searcher;
  std::string metric;
  bool smaller_is_better = false;
  double progress = 0;  // 0..1
  int64_t trials_created = 0;
  int64_t trials_closed = 0;
  int64_t trials_waiting = 0;
  std::vector<TrialSnapshot> running;
  std::optional<int64_t> best_trial;
  std::optional<double> best_metric;
  int64_t best_steps = 0;
  std::optional<double> seconds_left;
  absl::Time created;
  std::optional<absl::Time> ended;
};

// COMPLETED, CANCELED or ERROR: no other state follows.
bool HasEnded(const Snapshot& snapshot);

}  // namespace det::cli::follow
