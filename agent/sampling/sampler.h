#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"

#include "agent/sampling/proc_read.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"

namespace det::agent {

// Samples what the host and each task use, with nothing done by the task: a look at /proc each
// `every`, told as a point each `point_every`. Any thread; its own thread looks and tells.
class Sampler {
 public:
  struct Options {
    absl::Duration every = absl::Seconds(1);
    absl::Duration point_every = absl::Seconds(10);
  };
  // Averages over a point's time.
  struct Point {
    absl::Time at;
    int64_t seconds = 0;               // since the agent began to watch the task
    double cpu_util_simple = 0;        // percent of all processors
    double memory_free = 0;            // bytes
    double disk_iops = 0;              // a second
    double disk_throughput_read = 0;   // bytes a second
    double disk_throughput_write = 0;  // bytes a second
    double task_cpu_percent = 0;       // of one processor
    double task_memory_bytes = 0;
  };
  using OnPoint = std::function<void(AllocationId, const Point&)>;

  Sampler(Options options, OnPoint on_point);
  // No point comes afterwards.
  ~Sampler();

  // `supervisor` is the process that the task descends from. Again: goes on as before.
  void Add(AllocationId id, pid_t supervisor);
  void Remove(AllocationId id);

 private:
  struct Task {
    pid_t supervisor = 0;
    absl::Duration since;  // steady
    // Of the point under way.
    std::optional<TreeCounts> begin;
    absl::Duration begun;
    TreeCounts last;
    double resident_sum = 0;
    int looks = 0;
  };
  struct Told {
    AllocationId id;
    Point point;
  };

  void Loop();
  bool Wait(absl::Duration until);
  void Look(absl::Duration now);
  std::vector<Told> Close(absl::Duration now);

  const Options options_;
  const OnPoint on_point_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<AllocationId, Task> tasks_ ABSL_GUARDED_BY(mutex_);
  // The thread's own, of the point under way.
  std::optional<HostCounts> begin_;
  absl::Duration begun_;
  HostCounts last_;
  double memory_sum_ = 0;
  int looks_ = 0;
  std::thread thread_;
};

}  // namespace det::agent
