#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace det::searcher {

// The metrics that reached one rung, less being better, split at the border between those that go
// on and those that don't. Every operation is O(log n).
class Rung {
 public:
  Rung() = default;
  Rung(int64_t units, double divisor) : units_(units), divisor_(divisor) {}

  // Would this metric be among the best 1/divisor (at least one) of the rung with itself counted?
  // Among equal metrics the newest counts as the better.
  bool WouldPass(double metric) const;
  void Insert(double metric, int64_t trial);
  void Remove(double metric, int64_t trial);

  // (metric, trial), the best first.
  std::vector<std::pair<double, int64_t>> All() const;

  // In units of the time metric.
  int64_t units() const { return units_; }
  int64_t size() const { return static_cast<int64_t>(top_.size() + rest_.size()); }
  // How many of n go on.
  int64_t Passing(int64_t n) const;

  template <class A>
  friend void Fields(A& a, Rung& x) {
    a(x.units_, x.divisor_, x.top_, x.rest_);
  }

 private:
  using Entries = std::set<std::pair<double, int64_t>>;  // (metric, trial)
  void Balance();

  int64_t units_ = 0;
  double divisor_ = 4;
  Entries top_;   // the best Passing(size())
  Entries rest_;  // the others, none better than any of top_
};

}  // namespace det::searcher
