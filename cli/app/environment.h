#pragma once

#include "cli/app/output.h"
#include "cli/client/connection.h"
#include "cli/format/style.h"
#include "common/clock/clock.h"

namespace det::cli {

// All that the program gets from outside, so that tests can give it something else.
struct Environment {
  GetEnv getenv;
  Output* out = nullptr;
  Output* err = nullptr;
  const Clock* clock = nullptr;
};

enum class ColorMode { kAuto, kAlways, kNever };

// What the terminal behind `output` can do: --color, then NO_COLOR, CLICOLOR_FORCE, TERM=dumb and
// whether there is a terminal at all decide on colour, LC_ALL, LC_CTYPE and LANG on characters.
Terminal DescribeTerminal(const Output& output, const GetEnv& getenv, ColorMode color);

}  // namespace det::cli
