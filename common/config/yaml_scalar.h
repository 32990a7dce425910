#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"

#include "common/base/value.h"

namespace det {

// The value of a scalar that stands without quotes (YAML 1.2 core schema). An error, whose message
// completes "... 1e999 ...", when it looks like a number that no int64 or double holds.
absl::StatusOr<Value> ResolvePlainScalar(std::string_view text);

// "null", "Null", "NULL", "~" or nothing.
bool IsYamlNull(std::string_view text);

// The value of a scalar with a tag ("tag:yaml.org,2002:int"); "?" is a plain one, "!" a quoted one.
absl::StatusOr<Value> ResolveScalar(std::string_view tag, std::string_view text);

// As it is written: "!!int" for "tag:yaml.org,2002:int", and any other as it is.
std::string ShortTag(std::string_view tag);

}  // namespace det
