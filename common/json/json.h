#pragma once

#include <string_view>

#include "absl/status/statusor.h"

#include "common/base/value.h"

namespace det {

struct JsonLimits {
  size_t bytes_max = 16 << 20;
  int depth_max = 100;
};

// Reads RFC 8259 JSON. Refuses, with line and column: duplicate keys, text after the value, invalid
// UTF-8, numbers beyond a double, and whatever passes the limits. Integers outside int64 become
// doubles. Never throws.
absl::StatusOr<Value> ParseJson(std::string_view text, const JsonLimits& limits = {});

}  // namespace det
