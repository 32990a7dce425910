#include "master/searcher/grid.h"

#include <algorithm>

#include "master/searcher/hparams.h"

namespace det::searcher {
namespace {

int64_t Product(const std::vector<Axis>& axes) {
  int64_t product = 1;
  for (const Axis& axis : axes) product *= static_cast<int64_t>(axis.values.size());
  return product;
}

Value Point(const std::vector<Axis>& axes, int64_t number) {
  Value point(Value::Object{});
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    const auto size = static_cast<int64_t>(axis->values.size());
    Value* at = &point;
    for (const std::string& part : axis->path) at = &(*at)[part];
    *at = axis->values[static_cast<size_t>(number % size)];
    number /= size;
  }
  return point;
}

void RequestNext(const Config& config, const std::vector<Axis>& axes, int64_t index, Step* step) {
  Request(config, {.index = index}, Point(axes, Product(axes) - 1 - index), step);
}

}  // namespace

int64_t GridTrials(const Config& config) {
  return Product(GridAxes(config.space));
}

Step GridStart(const Config& config) {
  const std::vector<Axis> axes = GridAxes(config.space);
  const int64_t limit = std::get<spec::GridSpec>(config.searcher.method).max_concurrent_trials;
  const int64_t count = limit == 0 ? Product(axes) : std::min(limit, Product(axes));
  Step step;
  for (int64_t i = 0; i < count; ++i) RequestNext(config, axes, i, &step);
  return step;
}

Step GridOnExit(const Config& config, const Totals& totals) {
  const std::vector<Axis> axes = GridAxes(config.space);
  Step step;
  if (totals.requested < Product(axes)) RequestNext(config, axes, totals.requested, &step);
  return step;
}

}  // namespace det::searcher
