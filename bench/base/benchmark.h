#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/base/row.h"

namespace det::bench {

struct Settings {
  std::string bin;     // where det-master, det-agent and the others are
  bool quick = false;  // tiny sizes: shows that it runs, says nothing of speed

  // Floor and product are measured so often, in turn.
  int rounds() const { return quick ? 1 : 5; }
  template <class T>
  T Size(T full, T tiny) const {
    return quick ? tiny : full;
  }
};

// Measures and gives its rows; an error when it could not.
using Rows = absl::StatusOr<std::vector<Row>>;

struct Benchmark {
  std::string_view name;  // its rows have this name, or begin with it and a dot
  Rows (*run)(const Settings&);
};

// All there are, in the order of the report.
const std::vector<Benchmark>& Benchmarks();

}  // namespace det::bench
