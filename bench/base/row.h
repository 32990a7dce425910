#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/value.h"

namespace det::bench {

// How a figure is judged.
struct Goal {
  enum class Kind : uint8_t {
    kNone,          // told, not judged
    kAtMost,        // value <= bound
    kAtLeast,       // value >= bound
    kRatioAtMost,   // value / floor <= bound
    kRatioAtLeast,  // value / floor >= bound
    kBeyondAtMost,  // value - floor <= bound
  };
  Kind kind = Kind::kNone;
  double bound = 0;
};

// One line of the report. `floor` is what the machine can do without det, in the same unit and
// measured in the same run.
struct Row {
  std::string name;  // "ingest_metric_rows"
  double value = 0;
  std::string unit;  // "rows/s", "ms", "MiB"
  std::optional<double> floor;
  Goal goal;
  std::string note;  // what people should know of it; may be empty
};

// value / floor; nothing without a floor.
std::optional<double> Ratio(const Row& row);
// Nothing where there is no goal.
std::optional<bool> Holds(const Row& row);
// "at least 0.5 x floor"; "" where there is none.
std::string GoalText(const Row& row);

// For people: a heading and a line a row, columns aligned, notes below their rows.
std::string Table(const std::vector<Row>& rows);
// For machines: name, value, unit, floor, ratio, goal, holds, note; null where there is none.
Value ToValue(const Row& row);

}  // namespace det::bench
