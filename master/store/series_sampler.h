#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace det::store {

struct SeriesPoint {
  double x = 0;
  double value = 0;
  int64_t steps = 0;
  absl::Time at;
};

// Thins a series out for a picture: of each bucket of x its smallest and its largest point, so that
// no peak is lost. What is few is kept whole. Memory is bounded by the buckets. Pure.
class SeriesSampler {
 public:
  // Buckets share out [from, to] evenly; what lies outside counts to the first or the last.
  SeriesSampler(double from, double to, int64_t buckets);

  // Points with finite values, in any order.
  void Add(const SeriesPoint& point);

  bool sampled() const { return sampled_; }
  // In the order of x; the sampler is empty afterwards.
  std::vector<SeriesPoint> Take();

 private:
  struct Bucket {
    SeriesPoint smallest;
    SeriesPoint largest;
  };
  void Fold(const SeriesPoint& point);
  size_t IndexOf(double x) const;

  const double from_;
  const double to_;
  const size_t buckets_max_;
  bool sampled_ = false;
  std::vector<SeriesPoint> whole_;  // while it is few
  std::vector<std::optional<Bucket>> buckets_;
};

}  // namespace det::store
