#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/filter/filter.h"

namespace det::filter {

// A filter's tree with its fields found and its values understood. Errors as of Filter::Make.
absl::StatusOr<Condition> Check(std::string_view text,
                                const Node& node,
                                const FieldTable& table,
                                absl::Time now);

}  // namespace det::filter
