#pragma once

#include <string>
#include <utility>

namespace det {

// A token or password. It has no stream operator, so it can't reach a log or an error by accident.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace det
