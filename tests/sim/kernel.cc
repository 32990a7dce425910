#include "common/base/strings.h"
#include "tests/sim/world.h"

namespace det::sim {
namespace {

constexpr size_t kLogLinesMax = 200;

// How often a fault strikes when asked, where a seed has it at all.
constexpr std::array<double, kFaults> kRates = {
    0.01,    // message lost
    0.01,    // message duplicated
    0.02,    // message slow
    0.0015,  // link cut, a heartbeat
    0.002,   // partition, a heartbeat
    0.002,   // one-way partition, a heartbeat
    0.02,    // store fails
    0.02,    // store times out
    0.02,    // store executes and times out
    0.001,   // lease stolen, a commit
    0.0,     // master crash: by crash points
    0.0,     // agent crash: by crash points
    0.1,     // agent away long, a crash
    0.15,    // host reboot, a crash
    0.03,    // prepare fails
    0.01,    // trial crash, a step
    0.1,     // trial ignores stop
    0.03,    // trial refuses hparams
    0.02,    // trial reports NaN
    0.05,    // trial reports twice
    0.03,    // ingest fails
    0.03,    // ingest executes and times out
    0.02,    // store executes late
    0.01,    // core busy, a report
    0.004,   // trial stops, a step
    0.006,   // machine announced, a step
};

constexpr std::array<double, kCrashPoints> kCrashRates = {
    0.0008,
    0.002,
    0.002,
    0.002,
    0.002,
    0.004,
    0.1,  // the master's
    0.0008,
    0.004,
    0.004,
    0.02,
    0.02,
    0.02,
    0.02,
    0.004,  // the agents'
};

}  // namespace

Kernel::Kernel(const Options& o) : rng(o.seed), options(o) {
  // A swarm: half of the seeds lack a given fault, so that rare ones are met without the common.
  for (size_t i = 0; i < kFaults; ++i) rates_[i] = rng.Chance(0.5) ? kRates[i] : 0;
  for (size_t i = 0; i < kCrashPoints; ++i) crash_rates_[i] = rng.Chance(0.5) ? kCrashRates[i] : 0;
}

void Kernel::After(absl::Duration delay, std::function<void()> action) {
  actions_.emplace(std::pair(now_ + delay, order_++), std::move(action));
}

bool Kernel::Step() {
  if (!failure_.empty() || actions_.empty()) return false;
  auto node = actions_.extract(actions_.begin());
  now_ = std::max(now_, node.key().first);
  node.mapped()();
  return failure_.empty();
}

bool Kernel::Happens(Fault fault) {
  const double rate = rates_[static_cast<size_t>(fault)];
  if (!faults_on_ || rate == 0 || !rng.Chance(rate)) return false;
  Count(fault);
  return true;
}

bool Kernel::CrashesAt(CrashPoint point) {
  const double rate = crash_rates_[static_cast<size_t>(point)];
  if (!faults_on_ || rate == 0 || !rng.Chance(rate)) return false;
  ++counters.crashes[static_cast<size_t>(point)];
  Count(point <= CrashPoint::kMasterInRecovery ? Fault::kMasterCrash : Fault::kAgentCrash);
  return true;
}

void Kernel::Fail(const std::string& what) {
  if (!failure_.empty()) return;
  failure_ = StrCat("at ",
                    absl::FormatDuration(now_ - absl::FromUnixSeconds(1'000'000'000)),
                    ": ",
                    what,
                    "\nrun: ./dev sim --seeds 1 --from ",
                    options.seed,
                    "\nlast lines:\n");
  for (const std::string& line : log_) StrAppend(failure_, "  ", line, "\n");
}

void Kernel::Log(const std::string& line) {
  std::string text =
      StrCat(absl::FormatDuration(now_ - absl::FromUnixSeconds(1'000'000'000)), " ", line);
  if (options.verbose) std::fprintf(stderr, "%s\n", text.c_str());
  log_.push_back(std::move(text));
  if (log_.size() > kLogLinesMax) log_.pop_front();
}

}  // namespace det::sim
