#pragma once

#include <string>

#include "absl/time/time.h"
#include <termios.h>

namespace det::cli {

// A terminal that hands over each key as it is pressed, and shows a screen of its own. Both are as
// they were when this ends, and when a signal ends the program. One at a time.
class Keyboard {
 public:
  Keyboard();
  ~Keyboard();
  Keyboard(const Keyboard&) = delete;
  Keyboard& operator=(const Keyboard&) = delete;

  // False where the standard input and output are no terminal.
  bool ready() const { return ready_; }

  // The next key: a character, or "up", "down", "pageup", "pagedown", "home", "end", "escape",
  // "enter", "backspace"; "resize" when the window has changed; "" when the time ran out; "quit" at
  // the end of the input, and for Ctrl-C.
  std::string Next(absl::Duration timeout);

 private:
  std::string Read();

  bool ready_ = false;
  termios before_ = {};
};

}  // namespace det::cli
