#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "master/spec/hparam.h"

// What a user asked for, complete: every default is filled in. Plain values, compared by value.
namespace det::spec {

enum class LengthUnit { kBatches, kEpochs, kRecords };

// "batches", "epochs", "records": also the name of the metric that measures it.
std::string_view LengthUnitName(LengthUnit unit);

struct Length {
  LengthUnit unit = LengthUnit::kBatches;
  int64_t units = 0;
  bool operator==(const Length&) const = default;
};

struct SingleSpec {
  bool operator==(const SingleSpec&) const = default;
};

struct RandomSpec {
  int64_t max_trials = 1;
  int64_t max_concurrent_trials = 16;  // 0: as many as may be open, kOpenTrialsMax
  bool operator==(const RandomSpec&) const = default;
};

struct GridSpec {
  int64_t max_concurrent_trials = 16;
  bool operator==(const GridSpec&) const = default;
};

// Asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter
// Tuning", MLSys 2020), in the stopping form.
struct AsyncHalvingSpec {
  int64_t num_rungs = 1;
  int64_t max_trials = 1;
  double divisor = 4;
  int64_t max_concurrent_trials = 16;
  std::string time_metric;
  int64_t max_time = 1;  // in units of the time metric
  bool operator==(const AsyncHalvingSpec&) const = default;
};

enum class AshaMode { kAggressive, kStandard, kConservative };

// Several async-halving brackets beside each other, as Hyperband (Li et al., JMLR 2018).
struct AdaptiveAshaSpec {
  int64_t max_trials = 1;
  AshaMode mode = AshaMode::kStandard;
  double divisor = 4;
  int64_t max_rungs = 5;
  std::vector<int64_t> bracket_rungs;  // overrides the mode's brackets
  int64_t max_concurrent_trials = 16;
  std::string time_metric;
  int64_t max_time = 1;
  bool operator==(const AdaptiveAshaSpec&) const = default;
};

using SearchMethodSpec =
    std::variant<SingleSpec, RandomSpec, GridSpec, AsyncHalvingSpec, AdaptiveAshaSpec>;

struct SearcherSpec {
  SearchMethodSpec method;
  std::string metric;
  bool smaller_is_better = true;
  std::optional<Length> max_length;  // older files; kept for the trial to read
  std::optional<int64_t> source_trial_id;
  std::optional<std::string> source_checkpoint_uuid;
  bool operator==(const SearcherSpec&) const = default;
};

struct ResourcesSpec {
  int64_t slots_per_trial = 1;
  std::string resource_pool = "default";
  int64_t priority = 42;  // 1..99, lower goes first
  bool operator==(const ResourcesSpec&) const = default;
};

struct CheckpointStorageSpec {
  std::string host_path;     // absolute
  std::string storage_path;  // relative to host_path; may be empty
  int64_t save_experiment_best = 0;
  int64_t save_trial_best = 1;
  int64_t save_trial_latest = 1;

  // host_path and storage_path joined: where checkpoints lie, one folder each.
  std::string Directory() const;
  bool operator==(const CheckpointStorageSpec&) const = default;
};

// "NAME=value" or "NAME" (set to nothing), by the kind of device a trial runs on.
struct EnvironmentSpec {
  std::vector<std::string> cpu;
  std::vector<std::string> cuda;
  std::vector<std::string> rocm;
  bool operator==(const EnvironmentSpec&) const = default;
};

struct ExperimentSpec {
  std::string name;
  std::string description;
  std::vector<std::string> entrypoint;
  bool entrypoint_is_shell = false;  // one word, run by sh -c
  HparamMap hparams;
  SearcherSpec searcher;
  ResourcesSpec resources;
  EnvironmentSpec environment;
  CheckpointStorageSpec checkpoint_storage;
  int64_t max_restarts = 5;
  int64_t preemption_timeout_seconds = 3600;
  uint32_t seed = 0;
  Value data;  // opaque, for the trial to read
  bool operator==(const ExperimentSpec&) const = default;
};

}  // namespace det::spec
