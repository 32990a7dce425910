#include "master/store/series_sampler.h"

#include <algorithm>

namespace det::store {

SeriesSampler::SeriesSampler(double from, double to, int64_t buckets)
    : from_(from),
      to_(std::max(from, to)),
      buckets_max_(static_cast<size_t>(std::max<int64_t>(buckets, 1))) {}

void SeriesSampler::Add(const SeriesPoint& point) {
  if (sampled_) return Fold(point);
  whole_.push_back(point);
  if (whole_.size() <= 2 * buckets_max_) return;
  sampled_ = true;
  buckets_.resize(buckets_max_);
  for (const SeriesPoint& kept : whole_) Fold(kept);
  whole_.clear();
}

// Halves first: the ends may lie as far from each other as no number is large.
size_t SeriesSampler::IndexOf(double x) const {
  const double width = to_ / 2 - from_ / 2;
  if (!(width > 0) || !(x > from_)) return 0;
  if (x >= to_) return buckets_max_ - 1;
  const double place = (x / 2 - from_ / 2) / width * static_cast<double>(buckets_max_);
  return std::min(static_cast<size_t>(place), buckets_max_ - 1);
}

void SeriesSampler::Fold(const SeriesPoint& point) {
  std::optional<Bucket>& bucket = buckets_[IndexOf(point.x)];
  if (!bucket.has_value()) {
    bucket = Bucket{point, point};
  } else if (point.value < bucket->smallest.value) {
    bucket->smallest = point;
  } else if (point.value > bucket->largest.value) {
    bucket->largest = point;
  }
}

std::vector<SeriesPoint> SeriesSampler::Take() {
  std::vector<SeriesPoint> points = std::move(whole_);
  whole_.clear();
  for (const std::optional<Bucket>& bucket : buckets_) {
    if (!bucket.has_value()) continue;
    points.push_back(bucket->smallest);
    if (bucket->smallest.value < bucket->largest.value) points.push_back(bucket->largest);
  }
  buckets_.clear();
  std::stable_sort(points.begin(), points.end(), [](const SeriesPoint& a, const SeriesPoint& b) {
    return a.x < b.x;
  });
  return points;
}

}  // namespace det::store
