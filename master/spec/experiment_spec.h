#pragma once

#include <cstdint>
#include <map>
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

struct DeviceSpec {
  std::string host_path;
  std::string container_path;
  std::string mode = "mrw";
  bool operator==(const DeviceSpec&) const = default;
};

struct ResourcesSpec {
  int64_t slots_per_trial = 1;
  std::string resource_pool = "default";
  int64_t priority = 42;             // 1..99, lower goes first
  double weight = 1;                 // of its share, under fair share
  std::optional<int64_t> max_slots;  // that all trials together hold
  bool is_single_node = false;       // may not span agents
  std::optional<int64_t> shm_bytes;  // of a container's /dev/shm
  std::vector<DeviceSpec> devices;
  bool operator==(const ResourcesSpec&) const = default;
};

// Checkpoints in a folder that every agent and the master sees at the same path.
struct SharedFsSpec {
  std::string host_path;                 // absolute
  std::string storage_path;              // relative to host_path; may be empty
  std::string propagation = "rprivate";  // of the mount into a container
  bool operator==(const SharedFsSpec&) const = default;
};
// In a folder that is already inside the container.
struct DirectorySpec {
  std::string container_path;  // absolute
  bool operator==(const DirectorySpec&) const = default;
};
// Where a secret is, never the secret itself: "NAME" is one of the cluster's, "env:NAME" a variable
// of who uses it, "" what that one finds in its environment as usual.
using SecretRef = std::string;

// In a bucket of a server that speaks S3.
struct S3Spec {
  std::string bucket;
  std::string prefix;        // no slash at either end
  std::string endpoint_url;  // "": Amazon's
  std::string region;        // "": from the environment of who uses it, else us-east-1
  SecretRef access_key_ref;
  SecretRef secret_key_ref;
  bool operator==(const S3Spec&) const = default;
};
// Google's, through its S3 interface.
struct GcsSpec {
  std::string bucket;
  std::string prefix;
  bool operator==(const GcsSpec&) const = default;
};
using CheckpointPlaceSpec = std::variant<SharedFsSpec, DirectorySpec, S3Spec, GcsSpec>;

struct CheckpointStorageSpec {
  CheckpointPlaceSpec place;
  int64_t save_experiment_best = 0;
  int64_t save_trial_best = 1;
  int64_t save_trial_latest = 1;

  // Where checkpoints lie on a file system, one folder each; "" when they lie in a bucket.
  std::string Directory() const;
  bool operator==(const CheckpointStorageSpec&) const = default;
};

// One text for each kind of device that a trial may run on.
struct ImageSpec {
  std::string cpu;
  std::string cuda;
  std::string rocm;
  bool operator==(const ImageSpec&) const = default;
};

struct ProxyPortSpec {
  int64_t port = 0;
  bool tcp = false;
  bool unauthenticated = false;
  bool default_service_id = false;
  bool operator==(const ProxyPortSpec&) const = default;
};

struct EnvironmentSpec {
  // "NAME=value" or "NAME" (set to nothing), by the kind of device.
  std::vector<std::string> cpu;
  std::vector<std::string> cuda;
  std::vector<std::string> rocm;
  ImageSpec image;  // "": the cluster's
  bool force_pull_image = false;
  SecretRef registry_auth_ref;  // of Docker's AuthConfig, in JSON; "" is none
  std::vector<std::string> add_capabilities;
  std::vector<std::string> drop_capabilities;
  std::vector<ProxyPortSpec> proxy_ports;
  std::map<std::string, int64_t> ports;  // older form of proxy_ports
  Value pod_spec;                        // of Kubernetes, as given
  bool operator==(const EnvironmentSpec&) const = default;
};

struct BindMountSpec {
  std::string host_path;       // absolute
  std::string container_path;  // absolute, or relative to the work directory
  bool read_only = false;
  std::string propagation = "rprivate";
  bool operator==(const BindMountSpec&) const = default;
};

enum class CheckpointPolicy { kBest, kAll, kNone };

// What a line of a trial's log leads to.
enum class LogAction { kNone, kCancelRetries, kExcludeNode };
struct LogPolicySpec {
  std::string name;     // may be empty
  std::string pattern;  // RE2; "": turns the policy of this name off
  LogAction action = LogAction::kNone;
  bool operator==(const LogPolicySpec&) const = default;
};

struct ProfilingSpec {
  bool enabled = false;
  int64_t begin_on_batch = 0;
  std::optional<int64_t> end_after_batch;
  bool sync_timings = true;
  bool operator==(const ProfilingSpec&) const = default;
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
  Value data;                       // opaque, for the trial to read
  std::vector<std::string> labels;  // sorted, each once
  std::string workspace;            // both or neither; "": the cluster's own
  std::string project;
  std::vector<LogPolicySpec> log_policies;
  std::optional<int64_t> log_retention_days;  // -1: for ever
  std::vector<BindMountSpec> bind_mounts;
  // For the trial's own code to read.
  CheckpointPolicy checkpoint_policy = CheckpointPolicy::kBest;
  Length min_validation_period;
  Length min_checkpoint_period;
  bool perform_initial_validation = false;
  int64_t records_per_epoch = 0;
  int64_t scheduling_unit = 100;  // batches
  ProfilingSpec profiling;
  Value optimizations;  // a map, with its defaults
  Value integrations;   // null or a map, as are the three below
  Value slurm;
  Value pbs;
  Value security;
  bool debug = false;
  bool operator==(const ExperimentSpec&) const = default;
};

}  // namespace det::spec
