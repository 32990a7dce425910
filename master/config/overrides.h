#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/value.h"
#include "common/config/render.h"

namespace det::config {

// One "path=value" of the command line.
struct Override {
  std::string shown;  // "--config path=value", for messages
  std::string path;
  Value value;
};

// A problem of the override that it is named by.
struct OverrideProblem {
  std::string shown;
  TextProblem problem;
};

// Reads overrides; those that can't be read are noted and left out. Together they are bounded as
// one YAML text is, and at most 256.
std::vector<Override> ReadOverrides(const std::vector<std::string>& texts,
                                    std::vector<OverrideProblem>* problems);

// Sets each value at its path, in order. A path through something that is no map is noted.
void ApplyOverrides(const std::vector<Override>& overrides,
                    Value* config,
                    std::vector<OverrideProblem>* problems);

// Whether `path` is `prefix` or something within it.
bool IsWithin(std::string_view path, std::string_view prefix);

}  // namespace det::config
