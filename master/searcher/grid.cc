#include "master/searcher/grid.h"

#include "master/searcher/hparams.h"
#include "master/searcher/places.h"

namespace det::searcher {
namespace {

int64_t Product(const std::vector<Axis>& axes) {
  int64_t product = 1;
  for (const Axis& axis : axes) product *= axis.size;
  return product;
}

int64_t Width(const Config& config) {
  return WidthOf(std::get<spec::GridSpec>(config.searcher.method).max_concurrent_trials);
}

}  // namespace

int64_t GridTrials(const Config& config) {
  return Product(GridAxes(config.space));
}

int64_t GridFirst(const Config& config) {
  return FreePlaces({.width = Width(config), .left = GridTrials(config)});
}

Value GridPoint(const Config& config, int64_t index) {
  const std::vector<Axis> axes = GridAxes(config.space);
  int64_t number = Product(axes) - 1 - index;
  Value point(Value::Object{});
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    Value* at = &point;
    for (const std::string& part : axis->path) at = &(*at)[part];
    *at = AxisValue(*axis, number % axis->size);
    number /= axis->size;
  }
  return point;
}

Step GridStart(const Config& config) {
  Step step;
  Request(config, {}, GridFirst(config), &step);
  return step;
}

Step GridOnExit(const Config& config, const Totals& totals) {
  const int64_t open = totals.requested - totals.closed - 1;
  const int64_t free = FreePlaces({.width = Width(config),
                                   .running = open,
                                   .open = open,
                                   .left = GridTrials(config) - totals.requested});
  Step step;
  Request(config, {.index = totals.requested}, free, &step);
  return step;
}

}  // namespace det::searcher
