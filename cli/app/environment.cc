#include "cli/app/environment.h"

#include <algorithm>
#include <cctype>

namespace det::cli {
namespace {

std::string Get(const GetEnv& getenv, std::string_view name) {
  return getenv(name).value_or("");
}

bool LocaleIsUtf8(const GetEnv& getenv) {
  std::string locale = Get(getenv, "LC_ALL");
  if (locale.empty()) locale = Get(getenv, "LC_CTYPE");
  if (locale.empty()) locale = Get(getenv, "LANG");
  std::transform(locale.begin(), locale.end(), locale.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return locale.find("UTF-8") != std::string::npos || locale.find("UTF8") != std::string::npos;
}

bool HasColor(bool tty, const GetEnv& getenv, ColorMode mode) {
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  if (!Get(getenv, "NO_COLOR").empty()) return false;
  const std::string force = Get(getenv, "CLICOLOR_FORCE");
  if (!force.empty() && force != "0") return true;
  return tty && Get(getenv, "TERM") != "dumb" && Get(getenv, "CLICOLOR") != "0";
}

}  // namespace

Terminal DescribeTerminal(const Output& output, const GetEnv& getenv, ColorMode color) {
  Terminal terminal;
  terminal.tty = output.IsTty();
  terminal.color = HasColor(terminal.tty, getenv, color);
  terminal.utf8 = LocaleIsUtf8(getenv);
  const std::string term = Get(getenv, "TERM");
  terminal.redraw = terminal.tty && !term.empty() && term != "dumb";
  if (terminal.tty) {
    const Output::Size size = output.size();
    terminal.width = size.width;
    terminal.height = size.height;
  }
  return terminal;
}

}  // namespace det::cli
