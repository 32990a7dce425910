#include "master/searcher/searcher.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/overload.h"
#include "common/base/strings.h"
#include "master/searcher/hparams.h"

namespace det::searcher {
namespace {

const Bracket* FindBracket(const State& state, RequestId request) {
  const auto* tournament = std::get_if<TournamentState>(&state.method);
  if (tournament == nullptr) return nullptr;
  DET_CHECK(request.bracket >= 0 &&
            request.bracket < static_cast<int64_t>(tournament->brackets.size()));
  return &tournament->brackets[static_cast<size_t>(request.bracket)];
}

RequestId RequestOf(const Fact& fact) {
  return std::visit([](const auto& alternative) { return alternative.request; }, fact);
}

// The search is over when every trial that was asked for has exited.
void ShutdownIfDone(const State& state, ExitKind kind, Step* step) {
  for (const Operation& operation : step->operations) {
    if (std::holds_alternative<Create>(operation)) return;
  }
  const Totals& totals = state.totals;
  if (totals.closed + 1 < totals.requested) return;
  const int64_t canceled = totals.canceled + (kind == ExitKind::kCanceled ? 1 : 0);
  const int64_t failed = totals.errored + totals.invalid +
                         (kind == ExitKind::kErrored || kind == ExitKind::kInvalidHparams ? 1 : 0);
  step->operations.emplace_back(
      Shutdown{.canceled = canceled >= totals.requested, .failed = failed >= totals.requested});
}

void ApplyTotals(Totals& totals, const Fact& fact) {
  if (std::holds_alternative<Requested>(fact)) ++totals.requested;
  const auto* exited = std::get_if<Exited>(&fact);
  if (exited == nullptr) return;
  ++totals.closed;
  if (exited->kind == ExitKind::kErrored) ++totals.errored;
  if (exited->kind == ExitKind::kCanceled) ++totals.canceled;
  if (exited->kind == ExitKind::kInvalidHparams) ++totals.invalid;
}

}  // namespace

Value Point(const Config& config, RequestId request) {
  if (std::holds_alternative<spec::GridSpec>(config.searcher.method)) {
    return GridPoint(config, request.index);
  }
  return Sample(config.space, config.seed, request);
}

void Request(const Config& config, RequestId next, int64_t count, Step* step) {
  for (int64_t i = 0; i < count; ++i) {
    const RequestId request{.bracket = next.bracket, .index = next.index + i};
    step->facts.emplace_back(Requested{request});
    step->operations.emplace_back(Create{.request = request,
                                         .hparams = Point(config, request),
                                         .seed = TrialSeed(config.seed, request)});
  }
}

State MakeState(const Config& config) {
  State state;
  std::visit(overloaded{
                 [&](const spec::SingleSpec&) { state.method = RandomState{}; },
                 [&](const spec::RandomSpec&) { state.method = RandomState{}; },
                 [&](const spec::GridSpec&) { state.method = GridState{}; },
                 [&](const spec::AsyncHalvingSpec&) { state.method = MakeTournament(config); },
                 [&](const spec::AdaptiveAshaSpec&) { state.method = MakeTournament(config); },
             },
             config.searcher.method);
  return state;
}

Step Start(const Config& config, const State& state) {
  return std::visit(overloaded{
                        [&](const RandomState&) { return RandomStart(config); },
                        [&](const GridState&) { return GridStart(config); },
                        [&](const TournamentState& t) { return TournamentStart(config, t); },
                    },
                    state.method);
}

Step OnValidation(const Config& config, const State& state, const Measurement& measurement) {
  const Bracket* bracket = FindBracket(state, measurement.request);
  return bracket == nullptr ? Step{} : BracketOnValidation(config, *bracket, measurement);
}

Step OnExit(const Config& config, const State& state, RequestId request, ExitKind kind) {
  Step step =
      std::visit(overloaded{
                     [&](const RandomState&) { return RandomOnExit(config, state.totals, kind); },
                     [&](const GridState&) { return GridOnExit(config, state.totals); },
                     [&](const TournamentState&) {
                       return BracketOnExit(config, *FindBracket(state, request), request, kind);
                     },
                 },
                 state.method);
  step.facts.emplace_back(Exited{request, kind});
  ShutdownIfDone(state, kind, &step);
  return step;
}

void Apply(const Config& /*config*/, State& state, const Fact& fact) {
  ApplyTotals(state.totals, fact);
  auto* tournament = std::get_if<TournamentState>(&state.method);
  if (tournament == nullptr) return;
  const auto bracket = static_cast<size_t>(RequestOf(fact).bracket);
  DET_CHECK(bracket < tournament->brackets.size());
  BracketApply(tournament->brackets[bracket], fact);
}

void Reopen(State& state, RequestId request, ExitKind kind) {
  Totals& totals = state.totals;
  --totals.closed;
  if (kind == ExitKind::kErrored) --totals.errored;
  if (kind == ExitKind::kCanceled) --totals.canceled;
  if (kind == ExitKind::kInvalidHparams) --totals.invalid;
  auto* tournament = std::get_if<TournamentState>(&state.method);
  if (tournament == nullptr) return;
  const auto bracket = static_cast<size_t>(request.bracket);
  DET_CHECK(bracket < tournament->brackets.size());
  BracketReopen(tournament->brackets[bracket], request, kind);
}

double Progress(const Config& config, const State& state, double running) {
  if (const auto* tournament = std::get_if<TournamentState>(&state.method)) {
    return TournamentProgress(*tournament);
  }
  const int64_t planned =
      std::holds_alternative<GridState>(state.method) ? GridTrials(config) : RandomTrials(config);
  // What was canceled was not done.
  const auto closed =
      static_cast<double>(state.totals.closed - state.totals.invalid - state.totals.canceled);
  return std::clamp((closed + running) / static_cast<double>(planned), 0.0, 1.0);
}

std::string DescribeTrial(const State& state, RequestId request) {
  const Bracket* bracket = FindBracket(state, request);
  if (bracket == nullptr) return "";
  const auto live = bracket->live.find(request.index);
  if (live == bracket->live.end()) return "";
  return StrCat("rung ", live->second.rung + 1, " of ", bracket->rungs.size());
}

}  // namespace det::searcher
