#include "master/searcher/hparams.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "common/base/overload.h"
#include "common/math/math.h"
#include "common/rng/counter_rng.h"

namespace det::searcher {
namespace {

using spec::Scale;

// Onto [min, max] of a scale.
double Scaled(double min, double max, Scale scale, double u) {
  switch (scale) {
    case Scale::kLinear:
      return min + (max - min) * u;
    case Scale::kLog:
      return std::clamp(
          math::Exp(math::Log(min) + (math::Log(max) - math::Log(min)) * u), min, max);
    case Scale::kReverseLog: {
      const double mirrored =
          math::Exp(math::Log(min) + (math::Log(max) - math::Log(min)) * (1 - u));
      return std::clamp(max + min - mirrored, min, max);
    }
  }
  DET_CHECK(false, "unreachable");
}

int64_t WholeFromUnit(const spec::IntParam& param, double u) {
  const int64_t step = param.step.value_or(1);
  const int64_t cells = (param.max - param.min) / step + 1;
  if (param.scale == Scale::kLinear) {
    const auto cell = static_cast<int64_t>(std::floor(u * static_cast<double>(cells)));
    return param.min + std::min(cell, cells - 1) * step;
  }
  // On other scales the ends get the share of a whole cell too: the interval reaches half a unit
  // out.
  const double low =
      std::max(static_cast<double>(param.min) - 0.5, static_cast<double>(param.min) / 2);
  const double x = Scaled(low, static_cast<double>(param.max) + 0.5, param.scale, u);
  const auto cell = static_cast<int64_t>(
      math::Round((x - static_cast<double>(param.min)) / static_cast<double>(step)));
  return param.min + std::clamp<int64_t>(cell, 0, cells - 1) * step;
}

double RealFromUnit(const spec::DoubleParam& param, double u) {
  if (!param.step.has_value()) return Scaled(param.min, param.max, param.scale, u);
  const double cells = std::floor((param.max - param.min) / *param.step + 1e-9) + 1;
  const double cell =
      param.scale == Scale::kLinear
          ? std::floor(u * cells)
          : math::Round((Scaled(param.min, param.max, param.scale, u) - param.min) / *param.step);
  return std::min(param.min + std::clamp(cell, 0.0, cells - 1) * *param.step, param.max);
}

const Value& Pick(const std::vector<Value>& values, double u) {
  const auto size = static_cast<double>(values.size());
  return values[std::min(values.size() - 1, static_cast<size_t>(u * size))];
}

std::string Join(const std::vector<std::string>& path) {
  std::string joined;
  for (const std::string& part : path) joined.append(joined.empty() ? "" : ".").append(part);
  return joined;
}

// Visits every leaf; an empty nested map is a leaf of its own, so that it stays in the point.
template <class Visit>
void VisitLeaves(const spec::HparamMap& map, std::vector<std::string>& path, const Visit& visit) {
  for (const auto& [name, hparam] : map) {
    path.push_back(name);
    const auto* nested = std::get_if<spec::HparamMap>(&hparam.kind);
    if (nested != nullptr && !nested->empty()) {
      VisitLeaves(*nested, path, visit);
    } else {
      visit(path, hparam);
    }
    path.pop_back();
  }
}

Value& At(Value& root, const std::vector<std::string>& path) {
  Value* at = &root;
  for (const std::string& part : path) at = &(*at)[part];
  return *at;
}

bool Holds(const spec::Condition& condition, const Value& point) {
  const Value* value = point.FindPath(condition.path);
  return value != nullptr && std::find(condition.values.begin(), condition.values.end(), *value) !=
                                 condition.values.end();
}

// Where the i-th of n evenly spaced values lies, as Determined's grid has them; a single one is the
// middle.
double Fraction(int64_t i, int64_t n) {
  return n == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(n - 1);
}

Value WholeAt(const spec::IntParam& param, int64_t i, int64_t n) {
  if (param.scale != Scale::kLinear || param.step.has_value()) {
    return Value(WholeFromUnit(param, Fraction(i, n)));
  }
  const auto range = static_cast<double>(param.max - param.min);
  const double offset =
      n == 1 ? range / 2 : static_cast<double>(i) * range / static_cast<double>(n - 1);
  return Value(static_cast<int64_t>(math::Round(static_cast<double>(param.min) + offset)));
}

int64_t AxisSize(const spec::Hparam& hparam) {
  return std::visit(
      overloaded{
          [](const spec::IntParam& param) {
            const int64_t cells = (param.max - param.min) / param.step.value_or(1) + 1;
            return std::min(param.count.value_or(1), cells);
          },
          [](const spec::DoubleParam& param) { return param.count.value_or(1); },
          [](const spec::LogParam& param) { return param.count.value_or(1); },
          [](const spec::CategoricalParam& p) { return static_cast<int64_t>(p.values.size()); },
          [](const spec::DiscreteParam& p) { return static_cast<int64_t>(p.values.size()); },
          [](const auto&) { return int64_t{1}; },
      },
      hparam.kind);
}

int64_t LongestJson(const std::vector<Value>& values) {
  size_t longest = 0;
  for (const Value& value : values) longest = std::max(longest, value.ToJson().size());
  return static_cast<int64_t>(longest);
}

}  // namespace

Value FromUnit(const spec::Hparam& hparam, double u) {
  return std::visit(
      overloaded{
          [](const spec::ConstParam& param) { return param.value; },
          [&](const spec::IntParam& param) { return Value(WholeFromUnit(param, u)); },
          [&](const spec::DoubleParam& param) { return Value(RealFromUnit(param, u)); },
          [&](const spec::LogParam& param) {
            return Value(math::Pow(param.base, param.min + (param.max - param.min) * u));
          },
          [&](const spec::CategoricalParam& param) { return Pick(param.values, u); },
          [&](const spec::DiscreteParam& param) { return Pick(param.values, u); },
          [](const spec::HparamMap&) { return Value(Value::Object{}); },
      },
      hparam.kind);
}

Value Sample(const spec::HparamMap& space, uint64_t seed, RequestId request) {
  Value point(Value::Object{});
  std::vector<std::string> path;
  const auto draw = [&](const std::vector<std::string>& at, const spec::Hparam& hparam) {
    const uint64_t stream = StreamId("hparam",
                                     static_cast<uint64_t>(request.bracket),
                                     static_cast<uint64_t>(request.index),
                                     Join(at));
    At(point, at) = FromUnit(hparam, CounterRng(seed, stream).Uniform(0));
  };
  VisitLeaves(space, path, [&](const auto& at, const spec::Hparam& hparam) {
    if (!hparam.when.has_value()) draw(at, hparam);
  });
  // Conditions name unconditional parameters only, so they are all drawn by now.
  VisitLeaves(space, path, [&](const auto& at, const spec::Hparam& hparam) {
    if (hparam.when.has_value() && Holds(*hparam.when, point)) draw(at, hparam);
  });
  return point;
}

uint32_t TrialSeed(uint64_t seed, RequestId request) {
  const uint64_t stream = StreamId("trial_seed",
                                   static_cast<uint64_t>(request.bracket),
                                   static_cast<uint64_t>(request.index),
                                   "");
  return static_cast<uint32_t>(CounterRng(seed, stream).Below(uint64_t{1} << 31, 0));
}

std::vector<Axis> GridAxes(const spec::HparamMap& space) {
  std::vector<Axis> axes;
  std::vector<std::string> path;
  VisitLeaves(space, path, [&](const auto& at, const spec::Hparam& hparam) {
    axes.push_back({.path = at, .hparam = &hparam, .size = AxisSize(hparam)});
  });
  return axes;
}

Value AxisValue(const Axis& axis, int64_t i) {
  const spec::Hparam& hparam = *axis.hparam;
  const double u = Fraction(i, axis.size);
  return std::visit(
      overloaded{
          [&](const spec::IntParam& param) { return WholeAt(param, i, axis.size); },
          [&](const spec::DoubleParam& param) { return Value(RealFromUnit(param, u)); },
          [&](const spec::LogParam&) { return FromUnit(hparam, u); },
          [&](const spec::CategoricalParam& p) { return p.values[static_cast<size_t>(i)]; },
          [&](const spec::DiscreteParam& p) { return p.values[static_cast<size_t>(i)]; },
          [&](const auto&) { return FromUnit(hparam, 0); },
      },
      hparam.kind);
}

int64_t PointBytes(const spec::HparamMap& space) {
  static constexpr int64_t kNumberBytes = 32;
  int64_t bytes = 2;
  std::vector<std::string> path;
  VisitLeaves(space, path, [&](const auto& at, const spec::Hparam& hparam) {
    for (const std::string& part : at) bytes += static_cast<int64_t>(part.size()) + 4;
    bytes += std::visit(overloaded{
                            [](const spec::ConstParam& p) { return LongestJson({p.value}); },
                            [](const spec::CategoricalParam& p) { return LongestJson(p.values); },
                            [](const auto&) { return kNumberBytes; },
                        },
                        hparam.kind);
  });
  return bytes;
}

}  // namespace det::searcher
