#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "master/searcher/adaptive_asha.h"
#include "master/searcher/events.h"
#include "master/searcher/grid.h"
#include "master/searcher/random.h"
#include "master/spec/experiment_spec.h"

// Hyperparameter search, pure: events in; facts and operations out. The owner records the facts and
// carries out the operations; Apply alone changes the state, from recorded facts, so a replay never
// decides again. Cost of an event: O(log n) in the trials seen. The same seed and the same order of
// events give the same search on every machine.
namespace det::searcher {

struct State {
  Totals totals;
  std::variant<RandomState, GridState, TournamentState> method;
};

State MakeState(const Config& config);

// The first trials.
Step Start(const Config& config, const State& state);

// A trial measured itself. Reports of trials that were told to stop are ignored.
Step OnValidation(const Config& config, const State& state, const Measurement& measurement);

// A trial is over, for whatever cause. Each trial exits once.
Step OnExit(const Config& config, const State& state, RequestId request, ExitKind kind);

void Apply(const Config& config, State& state, const Fact& fact);

// A trial that exited is open again, as if it had not: what its failure put into a rung is taken
// out. O(n) in the trials seen.
void Reopen(State& state, RequestId request, ExitKind kind);

// Done share of the search in [0, 1]. `running` is the sum of the running trials' own progress.
double Progress(const Config& config, const State& state, double running);

// One line for people: "rung 2 of 4", "".
std::string DescribeTrial(const State& state, RequestId request);

template <class A>
void Fields(A& a, State& x) {
  a(x.totals, x.method);
}

}  // namespace det::searcher
