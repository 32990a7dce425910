#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace det::cli {

// The text in lines of at most `width` columns, broken at spaces; a longer word is cut. Its own
// line feeds are kept. At least one line.
std::vector<std::string> WrapLines(std::string_view text, int width);

}  // namespace det::cli
