#include "master/searcher/async_halving.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/overload.h"
#include "common/base/strings.h"
#include "common/math/math.h"
#include "master/searcher/places.h"

namespace det::searcher {
namespace {

constexpr double kWorst = std::numeric_limits<double>::max();

// Less is better afterwards; NaN is worse than every number but infinity.
double Signed(const Config& config, double metric) {
  if (std::isnan(metric)) return kWorst;
  return config.searcher.smaller_is_better ? metric : -metric;
}

// The trials that did not leave, after what is being decided.
struct Remaining {
  int64_t running = 0;
  int64_t open = 0;
  int64_t invalid = 0;
};

void Fill(const Config& config, const Bracket& bracket, const Remaining& remaining, Step* step) {
  // Refused points are replaced, but not for ever.
  const int64_t replaced = std::min(remaining.invalid, bracket.max_trials);
  const int64_t free = FreePlaces({.width = bracket.first_trials,
                                   .running = remaining.running,
                                   .open_max = bracket.open_max,
                                   .open = remaining.open,
                                   .left = bracket.max_trials - (bracket.requested - replaced)});
  Request(config, {.bracket = bracket.number, .index = bracket.requested}, free, step);
}

int64_t Running(const Bracket& bracket) {
  return static_cast<int64_t>(bracket.live.size());
}

std::string WhyStopped(const Rung& rung, int64_t number, size_t rungs, bool top) {
  if (top) return StrCat("reached the last rung, ", rung.units(), " units of time");
  const int64_t reached = rung.size() + 1;
  return StrCat("not among the best ",
                rung.Passing(reached),
                " of ",
                reached,
                " trials at rung ",
                number + 1,
                " of ",
                rungs,
                " (",
                rung.units(),
                " units of time)");
}

}  // namespace

Bracket MakeBracket(const BracketShape& shape) {
  Bracket bracket;
  bracket.number = shape.number;
  bracket.max_trials = shape.max_trials;
  for (int64_t i = 0; i < shape.num_rungs; ++i) {
    const double share = math::Pow(shape.divisor, static_cast<double>(shape.num_rungs - i - 1));
    const auto units = static_cast<int64_t>(static_cast<double>(shape.max_time) / share);
    bracket.rungs.emplace_back(std::max<int64_t>(units, 1), shape.divisor);
  }
  const double full = math::Pow(shape.divisor, static_cast<double>(shape.num_rungs - 1));
  const auto widest = static_cast<int64_t>(std::min(full, static_cast<double>(shape.max_trials)));
  bracket.open_max = shape.open_max;
  const int64_t first = shape.max_concurrent_trials > 0
                            ? std::min(shape.max_concurrent_trials, shape.max_trials)
                            : std::max<int64_t>(widest, 1);
  bracket.first_trials = std::min(first, shape.open_max);
  return bracket;
}

Step BracketStart(const Config& config, const Bracket& bracket) {
  Step step;
  Request(config, {.bracket = bracket.number}, bracket.first_trials, &step);
  return step;
}

Step BracketOnValidation(const Config& config,
                         const Bracket& bracket,
                         const Measurement& measurement) {
  Step step;
  const auto live = bracket.live.find(measurement.request.index);
  if (live == bracket.live.end()) return step;
  const double metric = Signed(config, measurement.metric);
  for (size_t r = static_cast<size_t>(live->second.rung); r < bracket.rungs.size(); ++r) {
    const Rung& rung = bracket.rungs[r];
    if (!(measurement.time >= static_cast<double>(rung.units()))) break;
    const auto number = static_cast<int64_t>(r);
    step.facts.emplace_back(Measured{measurement.request, number, metric});
    const bool top = r + 1 == bracket.rungs.size();
    if (!top && rung.WouldPass(metric)) continue;
    step.facts.emplace_back(Stopped{measurement.request});
    step.operations.emplace_back(
        Stop{measurement.request, WhyStopped(rung, number, bracket.rungs.size(), top)});
    Fill(config,
         bracket,
         {.running = Running(bracket) - 1,
          .open = bracket.requested - bracket.closed,
          .invalid = bracket.invalid},
         &step);
    break;
  }
  return step;
}

Step BracketOnExit(const Config& config, const Bracket& bracket, RequestId request, ExitKind kind) {
  Step step;
  const auto live = bracket.live.find(request.index);
  Remaining remaining{.running = Running(bracket),
                      .open = bracket.requested - bracket.closed - 1,
                      .invalid = bracket.invalid};
  if (live != bracket.live.end()) {  // otherwise it was stopped before, and its place was given up
    --remaining.running;
    if (kind == ExitKind::kInvalidHparams) {
      ++remaining.invalid;
    } else if (kind != ExitKind::kCompleted) {
      // A failed trial counts as the worst of its rung, so that others are measured against it.
      step.facts.emplace_back(Measured{request, live->second.rung, kWorst});
    }
  }
  Fill(config, bracket, remaining, &step);
  return step;
}

void BracketApply(Bracket& bracket, const Fact& fact) {
  std::visit(overloaded{
                 [&](const Requested& requested) {
                   ++bracket.requested;
                   bracket.live[requested.request.index] = {};
                 },
                 [&](const Measured& measured) {
                   const int64_t index = measured.request.index;
                   bracket.rungs[static_cast<size_t>(measured.rung)].Insert(measured.metric, index);
                   Bracket::Live& live = bracket.live[index];
                   live.rung =
                       std::min(measured.rung + 1, static_cast<int64_t>(bracket.rungs.size()) - 1);
                   live.measured.push_back(measured.metric);
                 },
                 [&](const Stopped& stopped) { bracket.live.erase(stopped.request.index); },
                 [&](const Exited& exited) {
                   const int64_t index = exited.request.index;
                   const auto live = bracket.live.find(index);
                   if (live != bracket.live.end() && exited.kind == ExitKind::kInvalidHparams) {
                     for (size_t r = 0; r < live->second.measured.size(); ++r) {
                       bracket.rungs[r].Remove(live->second.measured[r], index);
                     }
                     ++bracket.invalid;
                   }
                   if (live != bracket.live.end()) bracket.live.erase(live);
                   ++bracket.closed;
                 },
             },
             fact);
}

void BracketReopen(Bracket& bracket, RequestId request, ExitKind kind) {
  --bracket.closed;
  if (kind == ExitKind::kInvalidHparams) --bracket.invalid;
  Bracket::Live live;
  for (const Rung& rung : bracket.rungs) {
    const auto entries = rung.All();
    const auto entry = std::find_if(
        entries.begin(), entries.end(), [&](const auto& e) { return e.second == request.index; });
    if (entry == entries.end()) break;
    live.measured.push_back(entry->first);
  }
  const bool failed = kind == ExitKind::kErrored || kind == ExitKind::kCanceled;
  if (failed && !live.measured.empty() && live.measured.back() == kWorst) {
    bracket.rungs[live.measured.size() - 1].Remove(kWorst, request.index);
    live.measured.pop_back();
  }
  live.rung = static_cast<int64_t>(std::min(live.measured.size(), bracket.rungs.size() - 1));
  bracket.live[request.index] = std::move(live);
}

double BracketProgress(const Bracket& bracket) {
  const auto trials = static_cast<double>(bracket.max_trials);
  const double measured = static_cast<double>(bracket.rungs[0].size()) / (1.2 * trials);
  if (bracket.requested - bracket.invalid < bracket.max_trials) return std::min(measured, 1.0);
  const double closed = static_cast<double>(bracket.closed - bracket.invalid) / trials;
  return std::min(std::max(measured, closed), 1.0);
}

}  // namespace det::searcher
