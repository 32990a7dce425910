#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

#include "common/base/mutex.h"

namespace det::bench {

// 0 of nothing.
double Median(std::vector<double> values);

// Durations from a microsecond to some hours, each kept within 1 %. Any thread.
class LatencyHistogram {
 public:
  void Add(absl::Duration latency);
  int64_t count() const;
  // In milliseconds; the largest for 1, 0 of nothing.
  double PercentileMs(double share) const;

 private:
  static constexpr double kGrowth = 1.01;
  static constexpr size_t kBuckets = 2400;

  mutable Mutex mutex_;
  std::array<int64_t, kBuckets> counts_ ABSL_GUARDED_BY(mutex_) = {};
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace det::bench
