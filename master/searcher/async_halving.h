#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "master/searcher/events.h"
#include "master/searcher/rung.h"
#include "master/spec/limits.h"

// One bracket of asynchronous successive halving (ASHA; Li et al., MLSys 2020), in the stopping
// form: a trial that reaches a rung goes on when it is among the best 1/divisor of those that
// reached it so far, else it is stopped and its place goes to a new trial, as that of a trial that
// left by itself does. Trials are never paused and promoted.
namespace det::searcher {

struct Bracket {
  // A trial that was neither stopped nor is over.
  struct Live {
    int64_t rung = 0;              // the next rung to reach
    std::vector<double> measured;  // its metrics in the rungs below
  };

  int64_t number = 0;
  int64_t max_trials = 1;
  int64_t first_trials = 1;  // asked for at the start, and kept running
  int64_t open_max = 1;      // those told to stop counted too
  std::vector<Rung> rungs;
  std::map<int64_t, Live> live;  // by index
  int64_t requested = 0;
  int64_t closed = 0;
  int64_t invalid = 0;
};

// What a bracket is made from.
struct BracketShape {
  int64_t number = 0;
  int64_t num_rungs = 1;
  int64_t max_trials = 1;
  int64_t max_concurrent_trials = 0;  // 0: divisor^(rungs - 1)
  double divisor = 4;
  int64_t max_time = 1;
  int64_t open_max = spec::kOpenTrialsMax;
};

Bracket MakeBracket(const BracketShape& shape);

Step BracketStart(const Config& config, const Bracket& bracket);
Step BracketOnValidation(const Config& config,
                         const Bracket& bracket,
                         const Measurement& measurement);
Step BracketOnExit(const Config& config, const Bracket& bracket, RequestId request, ExitKind kind);
void BracketApply(Bracket& bracket, const Fact& fact);
// See Reopen of searcher.h.
void BracketReopen(Bracket& bracket, RequestId request, ExitKind kind);
double BracketProgress(const Bracket& bracket);

template <class A>
void Fields(A& a, Bracket::Live& x) {
  a(x.rung, x.measured);
}
template <class A>
void Fields(A& a, Bracket& x) {
  a(x.number,
    x.max_trials,
    x.first_trials,
    x.open_max,
    x.rungs,
    x.live,
    x.requested,
    x.closed,
    x.invalid);
}

}  // namespace det::searcher
