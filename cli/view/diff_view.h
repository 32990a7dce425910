#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/format/report.h"
#include "common/base/value.h"

namespace det::cli {

// What two things have in the same place, where it is not the same.
struct Difference {
  std::string path;  // "searcher.max_trials"
  Cell left;         // nothing where it is not there
  Cell right;
};

// The leaves in which two values differ, by their dotted paths. Lists are compared whole.
std::vector<Difference> DifferencesOf(const Value& left, const Value& right);

// A part of a comparison: the configuration, the hyperparameters, ...
struct DiffPart {
  std::string title;
  std::vector<Difference> differences;
};

// `names` are of the two things: "experiment 7".
Report DiffReport(const std::pair<std::string, std::string>& names,
                  const std::vector<DiffPart>& parts);

}  // namespace det::cli
