#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "common/rng/counter_rng.h"
#include "tests/sim/faults.h"

namespace det::sim {

// Bugs planted to show that the simulation finds bugs.
struct Planted {
  bool reply_before_durable = false;
  bool double_placement = false;
};

struct Options {
  uint64_t seed = 1;
  Planted planted;
  bool verbose = false;
};

struct Outcome {
  std::string failure;  // "" when all held
  Counters counters;
  uint64_t fingerprint = 0;  // of the end state and of the last random draw: equal for equal seeds
};

// One simulated cluster from its start to the end of all work: real core, engine parts and agent
// core, one thread, virtual time, one seed. Safety is checked all the time; then faults stop, and
// everything must end.
Outcome RunWorld(const Options& options);

// Random draws of one world, in order.
class SimRng {
 public:
  explicit SimRng(uint64_t seed) : rng_(seed, StreamId("sim", 0, 0, "")) {}
  bool Chance(double probability) { return rng_.Uniform(next_++) < probability; }
  double Between(double low, double high) { return low + (high - low) * rng_.Uniform(next_++); }
  int64_t Below(int64_t n) {
    return static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(n), next_++));
  }
  uint64_t Bits() { return rng_.Bits(next_++); }

 private:
  CounterRng rng_;
  uint64_t next_ = 0;
};

// Virtual time, what happens in it, faults and findings: shared by all parts of a world.
class Kernel {
 public:
  explicit Kernel(const Options& options);

  absl::Time now() const { return now_; }
  void After(absl::Duration delay, std::function<void()> action);
  // Runs the next action; false when none is left or something was found.
  bool Step();

  // Is the fault possible now, and does it happen? Counts it when it does.
  bool Happens(Fault fault);
  void Count(Fault fault) { ++counters.faults[static_cast<size_t>(fault)]; }
  // Should the process crash here?
  bool CrashesAt(CrashPoint point);
  void StopFaults() { faults_on_ = false; }
  bool faults_on() const { return faults_on_; }

  void Fail(const std::string& what);
  void Log(const std::string& line);
  const std::string& failure() const { return failure_; }

  SimRng rng;
  Counters counters;
  const Options options;

 private:
  std::map<std::pair<absl::Time, int64_t>, std::function<void()>> actions_;  // (when, order)
  std::array<double, kFaults> rates_{};
  std::array<double, kCrashPoints> crash_rates_{};
  std::deque<std::string> log_;
  std::string failure_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
  int64_t order_ = 0;
  bool faults_on_ = true;
};

}  // namespace det::sim
