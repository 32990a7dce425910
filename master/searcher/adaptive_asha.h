#pragma once

#include <cstdint>
#include <vector>

#include "master/searcher/async_halving.h"

// Several brackets of asynchronous halving beside each other, from much early stopping to little,
// as Hyperband mixes its brackets (Li et al., JMLR 2018). `async_halving` is the case of one
// bracket.
namespace det::searcher {

struct TournamentState {
  std::vector<Bracket> brackets;
};

TournamentState MakeTournament(const Config& config);
Step TournamentStart(const Config& config, const TournamentState& state);
// The sum over the brackets, weighted by their trials.
double TournamentProgress(const TournamentState& state);

// Numbers of rungs, descending.
std::vector<int64_t> AshaBrackets(const spec::AdaptiveAshaSpec& spec);
// How max_trials falls to brackets of these numbers of rungs.
std::vector<int64_t> BracketTrials(int64_t max_trials,
                                   double divisor,
                                   const std::vector<int64_t>& rungs);
// How the concurrency falls to brackets with these numbers of trials; 0 is "as wide as useful".
std::vector<int64_t> BracketConcurrency(int64_t max_concurrent,
                                        double divisor,
                                        const std::vector<int64_t>& trials);

template <class A>
void Fields(A& a, TournamentState& x) {
  a(x.brackets);
}

}  // namespace det::searcher
