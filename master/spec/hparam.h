#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/value.h"

// The space that a search explores. The type is a superset of Determined's, Vertex AI's and
// Optuna's spaces, so that any of them can be expressed.
namespace det::spec {

// How the unit interval maps onto [min, max].
enum class Scale {
  kLinear,
  kLog,         // equal ratios are equally likely; min > 0
  kReverseLog,  // dense towards max, as Vizier's UNIT_REVERSE_LOG_SCALE; min > 0
};

struct ConstParam {
  Value value;
  bool operator==(const ConstParam&) const = default;
};

// Whole numbers from min to max, both included; with `step`, min, min + step, ... up to max.
struct IntParam {
  int64_t min = 0;
  int64_t max = 0;
  std::optional<int64_t> count;  // grid points
  Scale scale = Scale::kLinear;
  std::optional<int64_t> step;
  bool operator==(const IntParam&) const = default;
};

struct DoubleParam {
  double min = 0;
  double max = 0;
  std::optional<int64_t> count;
  Scale scale = Scale::kLinear;
  std::optional<double> step;
  bool operator==(const DoubleParam&) const = default;
};

// base^x with x uniform in [min, max]: Determined's `type: log`.
struct LogParam {
  double min = 0;  // exponents
  double max = 0;
  double base = 10;
  std::optional<int64_t> count;
  bool operator==(const LogParam&) const = default;
};

// Unordered values of any JSON type.
struct CategoricalParam {
  std::vector<Value> values;
  bool operator==(const CategoricalParam&) const = default;
};

// Numbers, ascending: their order means something to a model, unlike a categorical's.
struct DiscreteParam {
  std::vector<Value> values;
  bool operator==(const DiscreteParam&) const = default;
};

// The parameter exists only in trials in which the one at `path` has one of `values`.
struct Condition {
  std::string path;  // dotted, from the top of the space
  std::vector<Value> values;
  bool operator==(const Condition&) const = default;
};

struct Hparam;
using HparamMap = std::map<std::string, Hparam>;

struct Hparam {
  std::variant<ConstParam,
               IntParam,
               DoubleParam,
               LogParam,
               CategoricalParam,
               DiscreteParam,
               HparamMap>
      kind;
  std::optional<Condition> when;
};

bool operator==(const Hparam& a, const Hparam& b);

}  // namespace det::spec
