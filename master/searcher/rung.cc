#include "master/searcher/rung.h"

#include <algorithm>

namespace det::searcher {

int64_t Rung::Passing(int64_t n) const {
  return std::min(n, std::max<int64_t>(static_cast<int64_t>(static_cast<double>(n) / divisor_), 1));
}

bool Rung::WouldPass(double metric) const {
  const int64_t passing = Passing(size() + 1);
  // It passes when fewer than `passing` present metrics are strictly better: when the one at that
  // place, counted from the best, is not better.
  if (passing > static_cast<int64_t>(top_.size())) {
    return rest_.empty() || rest_.begin()->first >= metric;
  }
  return top_.empty() || top_.rbegin()->first >= metric;
}

void Rung::Insert(double metric, int64_t trial) {
  rest_.emplace(metric, trial);
  Balance();
}

void Rung::Remove(double metric, int64_t trial) {
  if (top_.erase({metric, trial}) == 0) rest_.erase({metric, trial});
  Balance();
}

std::vector<std::pair<double, int64_t>> Rung::All() const {
  std::vector<std::pair<double, int64_t>> entries(top_.begin(), top_.end());
  entries.insert(entries.end(), rest_.begin(), rest_.end());
  return entries;
}

void Rung::Balance() {
  const int64_t passing = Passing(size());
  while (static_cast<int64_t>(top_.size()) > passing) {
    rest_.insert(top_.extract(std::prev(top_.end())));
  }
  while (static_cast<int64_t>(top_.size()) < passing) {
    top_.insert(rest_.extract(rest_.begin()));
  }
  while (!top_.empty() && !rest_.empty() && *rest_.begin() < *top_.rbegin()) {
    auto better = rest_.extract(rest_.begin());
    rest_.insert(top_.extract(std::prev(top_.end())));
    top_.insert(std::move(better));
  }
}

}  // namespace det::searcher
