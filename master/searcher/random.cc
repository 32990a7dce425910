#include "master/searcher/random.h"

#include <algorithm>

#include "master/searcher/places.h"

namespace det::searcher {
namespace {

int64_t Width(const Config& config) {
  const auto* random = std::get_if<spec::RandomSpec>(&config.searcher.method);
  return random == nullptr ? 1 : WidthOf(random->max_concurrent_trials);
}

}  // namespace

int64_t RandomTrials(const Config& config) {
  const auto* random = std::get_if<spec::RandomSpec>(&config.searcher.method);
  return random == nullptr ? 1 : random->max_trials;
}

int64_t RandomFirst(const Config& config) {
  return FreePlaces({.width = Width(config), .left = RandomTrials(config)});
}

Step RandomStart(const Config& config) {
  Step step;
  Request(config, {}, RandomFirst(config), &step);
  return step;
}

Step RandomOnExit(const Config& config, const Totals& totals, ExitKind kind) {
  const int64_t invalid = totals.invalid + (kind == ExitKind::kInvalidHparams ? 1 : 0);
  const int64_t replaced = std::min(invalid, RandomTrials(config));
  const int64_t open = totals.requested - totals.closed - 1;
  const int64_t free = FreePlaces({.width = Width(config),
                                   .running = open,
                                   .open = open,
                                   .left = RandomTrials(config) - (totals.requested - replaced)});
  Step step;
  Request(config, {.index = totals.requested}, free, &step);
  return step;
}

}  // namespace det::searcher
