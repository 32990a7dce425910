#include "master/searcher/random.h"

#include <algorithm>

#include "master/searcher/hparams.h"

namespace det::searcher {
namespace {

void RequestNext(const Config& config, int64_t index, Step* step) {
  const RequestId request{.index = index};
  Request(config, request, Sample(config.space, config.seed, request), step);
}

int64_t Concurrent(const Config& config) {
  const auto* random = std::get_if<spec::RandomSpec>(&config.searcher.method);
  if (random == nullptr || random->max_concurrent_trials == 0) return RandomTrials(config);
  return std::min(random->max_concurrent_trials, random->max_trials);
}

}  // namespace

int64_t RandomTrials(const Config& config) {
  const auto* random = std::get_if<spec::RandomSpec>(&config.searcher.method);
  return random == nullptr ? 1 : random->max_trials;
}

Step RandomStart(const Config& config) {
  Step step;
  for (int64_t i = 0; i < Concurrent(config); ++i) RequestNext(config, i, &step);
  return step;
}

Step RandomOnExit(const Config& config, const Totals& totals, ExitKind kind) {
  Step step;
  const int64_t invalid = totals.invalid + (kind == ExitKind::kInvalidHparams ? 1 : 0);
  const int64_t replaced = std::min(invalid, RandomTrials(config));
  if (totals.requested - replaced < RandomTrials(config)) {
    RequestNext(config, totals.requested, &step);
  }
  return step;
}

}  // namespace det::searcher
