#pragma once

#include <string_view>

#include "absl/status/status.h"

#include "common/filter/ast.h"

namespace det::filter {

// INVALID_ARGUMENT (reason BAD_FILTER) that says `what`, and below it shows the place:
//
//   there is no field "stat"
//     stat = ACTIVE
//     ^~~~
absl::Status ErrorAt(std::string_view text,
                     Span span,
                     std::string_view what,
                     std::string_view hint = {});

}  // namespace det::filter
