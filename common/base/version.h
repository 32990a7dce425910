#pragma once

#include <string_view>

namespace det {

// Of all programs of this tree.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace det
