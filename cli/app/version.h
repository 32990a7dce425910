#pragma once

#include <string_view>

namespace det::cli {

// Of this program: "0.1.0".
std::string_view Version();

}  // namespace det::cli
