#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "common/filter/ast.h"

namespace det::filter {

// Errors: INVALID_ARGUMENT (reason BAD_FILTER), with the place in the text. Never more than
// kBytesMax bytes, kTestsMax tests and kDepthMax levels.
absl::StatusOr<Node> Parse(std::string_view text);

// The parts of a field's name by itself: hparams."a b".c
absl::StatusOr<std::vector<std::string>> ParseField(std::string_view text);

}  // namespace det::filter
