#include "master/searcher/preview.h"

#include "master/searcher/searcher.h"

namespace det::searcher {
namespace {

std::string TimeMetric(const spec::SearcherSpec& searcher) {
  if (const auto* halving = std::get_if<spec::AsyncHalvingSpec>(&searcher.method)) {
    return halving->time_metric;
  }
  if (const auto* asha = std::get_if<spec::AdaptiveAshaSpec>(&searcher.method)) {
    return asha->time_metric;
  }
  return "";
}

}  // namespace

std::vector<PlannedTrials> Preview(const Config& config) {
  const State state = MakeState(config);
  std::vector<PlannedTrials> planned;
  const auto* tournament = std::get_if<TournamentState>(&state.method);
  if (tournament == nullptr) {
    const bool grid = std::holds_alternative<GridState>(state.method);
    planned.push_back({.trials = grid ? GridTrials(config) : RandomTrials(config)});
    if (config.searcher.max_length.has_value()) {
      planned[0].units = config.searcher.max_length->units;
      planned[0].time_metric = std::string(LengthUnitName(config.searcher.max_length->unit));
    }
    return planned;
  }
  for (const Bracket& bracket : tournament->brackets) {
    int64_t reach = bracket.max_trials;
    for (size_t r = 0; r < bracket.rungs.size(); ++r) {
      const bool top = r + 1 == bracket.rungs.size();
      const int64_t go_on = top ? 0 : bracket.rungs[r].Passing(reach);
      planned.push_back({.bracket = bracket.number,
                         .trials = reach - go_on,
                         .units = bracket.rungs[r].units(),
                         .time_metric = TimeMetric(config.searcher)});
      reach = go_on;
    }
  }
  return planned;
}

std::vector<RequestId> FirstRequests(const Config& config, int64_t most) {
  std::vector<RequestId> requests;
  const auto add = [&](int64_t bracket, int64_t count) {
    for (int64_t i = 0; i < count && static_cast<int64_t>(requests.size()) < most; ++i) {
      requests.push_back({.bracket = bracket, .index = i});
    }
  };
  const State state = MakeState(config);
  if (const auto* tournament = std::get_if<TournamentState>(&state.method)) {
    for (const Bracket& bracket : tournament->brackets) add(bracket.number, bracket.first_trials);
  } else {
    const bool grid = std::holds_alternative<GridState>(state.method);
    add(0, grid ? GridFirst(config) : RandomFirst(config));
  }
  return requests;
}

}  // namespace det::searcher
