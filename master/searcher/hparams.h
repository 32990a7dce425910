#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "master/searcher/events.h"
#include "master/spec/hparam.h"

namespace det::searcher {

// The point of a trial: every parameter is f(seed, bracket, index, path), so the set of points is
// the same in every run of a seed, in whatever order trials are asked for. Parameters whose
// condition does not hold are left out.
Value Sample(const spec::HparamMap& space, uint64_t seed, RequestId request);

// The trial's own seed, uniform in [0, 2^31).
uint32_t TrialSeed(uint64_t seed, RequestId request);

// The value of a parameter at u in [0, 1) of its scale; a constant ignores u.
Value FromUnit(const spec::Hparam& hparam, double u);

// A grid's axes, one a leaf, in alphabetical order; its points are the product, with the last axis
// varying fastest.
struct Axis {
  std::vector<std::string> path;
  const spec::Hparam* hparam = nullptr;  // of the space
  int64_t size = 1;
};
std::vector<Axis> GridAxes(const spec::HparamMap& space);
// The i-th value of an axis, computed alone.
Value AxisValue(const Axis& axis, int64_t i);

// The most that a point of the space is as JSON, about.
int64_t PointBytes(const spec::HparamMap& space);

}  // namespace det::searcher
