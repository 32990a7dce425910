#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace det {

// Something wrong, or worth saying, about one place of a configuration.
struct Problem {
  enum class Severity { kWarning, kError };
  Severity severity = Severity::kError;
  std::string path;     // "searcher.max_trials", "entrypoint[2]"; "" is the whole
  bool at_key = false;  // concerns the key itself, not its value
  // The value was read whole, and a rule forbids it: a rule may be younger than what was recorded.
  bool rule = false;
  std::string message;
  std::string hint;
};

using Problems = std::vector<Problem>;

// Far more than anyone reads. Readers whose input could cause any number of problems stop noting
// them here, so that a hostile configuration costs little; what is noted already is enough to
// refuse it.
inline constexpr size_t kProblemsMax = 200;

bool HasErrors(const Problems& problems);

}  // namespace det
