#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "common/text/pattern.h"

namespace det::ingest {

// Which of an experiment's log policies a line meets. Pure; any thread.
class LineMatcher {
 public:
  struct Policy {
    std::string name;
    std::string pattern;  // RE2
  };

  // INVALID_ARGUMENT (INVALID_PATTERN) that names the policy.
  static absl::StatusOr<LineMatcher> Compile(const std::vector<Policy>& policies);

  // Names of the policies whose pattern is found in the line, in the policies' order. A line that
  // shows a configuration with such policies (it holds "log_policies":) meets none: its patterns
  // would find themselves.
  std::vector<std::string_view> Match(std::string_view line) const;

  bool empty() const { return policies_.empty(); }

 private:
  struct Compiled {
    std::string name;
    Pattern pattern;
  };
  std::vector<Compiled> policies_;
};

}  // namespace det::ingest
