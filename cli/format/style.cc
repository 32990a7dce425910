#include "cli/format/style.h"

#include <utility>

#include "common/base/strings.h"

namespace det::cli {

std::string Paint(std::string_view text, Style style, bool color) {
  static constexpr std::string_view kCodes[] = {"", "1", "2", "31", "32", "33", "34", "36"};
  if (!color || style == Style::kPlain || text.empty()) return std::string(text);
  return StrCat("\x1b[", kCodes[static_cast<size_t>(style)], "m", text, "\x1b[0m");
}

Style StateStyle(std::string_view state) {
  static constexpr std::pair<std::string_view, Style> kStyles[] = {
      {"ACTIVE", Style::kGreen},
      {"RUNNING", Style::kGreen},
      {"CONNECTED", Style::kGreen},
      {"COMPLETED", Style::kBlue},
      {"QUEUED", Style::kCyan},
      {"PULLING", Style::kCyan},
      {"STARTING", Style::kCyan},
      {"PAUSED", Style::kYellow},
      {"AWAY", Style::kYellow},
      {"CANCELED", Style::kDim},
      {"ERROR", Style::kRed},
      {"LOST", Style::kRed},
  };
  for (const auto& [name, style] : kStyles) {
    if (state == name) return style;
  }
  return state.substr(0, 9) == "STOPPING_" ? Style::kYellow : Style::kPlain;
}

}  // namespace det::cli
