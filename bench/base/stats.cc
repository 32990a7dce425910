#include "bench/base/stats.h"

#include <algorithm>
#include <cmath>

namespace det::bench {

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void LatencyHistogram::Add(absl::Duration latency) {
  const double us = std::max(1.0, absl::ToDoubleMicroseconds(latency));
  const auto bucket = static_cast<size_t>(std::ceil(std::log(us) / std::log(kGrowth)));
  MutexLock lock(mutex_);
  ++counts_[std::min(bucket, kBuckets - 1)];
  ++count_;
}

int64_t LatencyHistogram::count() const {
  MutexLock lock(mutex_);
  return count_;
}

double LatencyHistogram::PercentileMs(double share) const {
  MutexLock lock(mutex_);
  const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(count_)));
  int64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen > 0 && seen >= rank) return std::pow(kGrowth, static_cast<double>(i)) / 1000;
  }
  return 0;
}

}  // namespace det::bench
