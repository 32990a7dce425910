#include "master/searcher/adaptive_asha.h"

#include <algorithm>
#include <cmath>

#include "common/math/math.h"

namespace det::searcher {
namespace {

// The largest whole k with base^k <= x, for x >= 1. By multiplication: exact where logarithms are
// not.
int64_t FloorLog(double x, double base) {
  int64_t k = 0;
  for (double power = base; power <= x; power *= base) ++k;
  return k;
}

}  // namespace

std::vector<int64_t> AshaBrackets(const spec::AdaptiveAshaSpec& spec) {
  if (!spec.bracket_rungs.empty()) {
    std::vector<int64_t> rungs = spec.bracket_rungs;
    std::sort(rungs.rbegin(), rungs.rend());
    return rungs;
  }
  const int64_t most = std::min({spec.max_rungs,
                                 FloorLog(static_cast<double>(spec.max_time), spec.divisor) + 1,
                                 FloorLog(static_cast<double>(spec.max_trials), spec.divisor) + 1});
  int64_t fewest = most;
  if (spec.mode == spec::AshaMode::kStandard) fewest = (most - 1) / 2 + 1;
  if (spec.mode == spec::AshaMode::kConservative) fewest = 1;
  std::vector<int64_t> rungs;
  for (int64_t r = most; r >= fewest; --r) rungs.push_back(r);
  return rungs;
}

std::vector<int64_t> BracketTrials(int64_t max_trials,
                                   double divisor,
                                   const std::vector<int64_t>& rungs) {
  std::vector<double> weights;
  double sum = 0;
  for (const int64_t r : rungs) {
    weights.push_back(math::Pow(divisor, static_cast<double>(r - 1)) / static_cast<double>(r));
    sum += weights.back();
  }
  std::vector<int64_t> trials;
  int64_t left = max_trials;
  for (const double weight : weights) {
    const auto share = static_cast<int64_t>(weight / sum * static_cast<double>(max_trials));
    trials.push_back(std::max<int64_t>(share, 1));
    left -= trials.back();
  }
  trials[0] = std::max<int64_t>(trials[0] + left, 1);
  return trials;
}

std::vector<int64_t> BracketConcurrency(int64_t max_concurrent,
                                        double divisor,
                                        const std::vector<int64_t>& trials) {
  const auto brackets = static_cast<int64_t>(trials.size());
  if (max_concurrent == 0) {
    const int64_t each = std::max(trials.back(), static_cast<int64_t>(divisor));
    return std::vector<int64_t>(trials.size(), each);
  }
  const int64_t total = std::max(max_concurrent, brackets);
  std::vector<int64_t> concurrency(trials.size(), total / brackets);
  for (int64_t i = 0; i < total % brackets; ++i) ++concurrency[static_cast<size_t>(i)];
  return concurrency;
}

TournamentState MakeTournament(const Config& config) {
  TournamentState state;
  if (const auto* halving = std::get_if<spec::AsyncHalvingSpec>(&config.searcher.method)) {
    state.brackets.push_back(MakeBracket({.num_rungs = halving->num_rungs,
                                          .max_trials = halving->max_trials,
                                          .max_concurrent_trials = halving->max_concurrent_trials,
                                          .divisor = halving->divisor,
                                          .max_time = halving->max_time}));
    return state;
  }
  const auto& asha = std::get<spec::AdaptiveAshaSpec>(config.searcher.method);
  const std::vector<int64_t> rungs = AshaBrackets(asha);
  const std::vector<int64_t> trials = BracketTrials(asha.max_trials, asha.divisor, rungs);
  const std::vector<int64_t> concurrency =
      BracketConcurrency(asha.max_concurrent_trials, asha.divisor, trials);
  // Each bracket has its own share, so that none waits for another.
  const int64_t open_max = spec::kOpenTrialsMax / static_cast<int64_t>(rungs.size());
  for (size_t i = 0; i < rungs.size(); ++i) {
    state.brackets.push_back(MakeBracket({.number = static_cast<int64_t>(i),
                                          .num_rungs = rungs[i],
                                          .max_trials = trials[i],
                                          .max_concurrent_trials = concurrency[i],
                                          .divisor = asha.divisor,
                                          .max_time = asha.max_time,
                                          .open_max = open_max}));
  }
  return state;
}

Step TournamentStart(const Config& config, const TournamentState& state) {
  Step all;
  for (const Bracket& bracket : state.brackets) {
    Step step = BracketStart(config, bracket);
    std::move(step.facts.begin(), step.facts.end(), std::back_inserter(all.facts));
    std::move(step.operations.begin(), step.operations.end(), std::back_inserter(all.operations));
  }
  return all;
}

double TournamentProgress(const TournamentState& state) {
  double done = 0;
  double trials = 0;
  for (const Bracket& bracket : state.brackets) {
    done += BracketProgress(bracket) * static_cast<double>(bracket.max_trials);
    trials += static_cast<double>(bracket.max_trials);
  }
  return done / trials;
}

}  // namespace det::searcher
