#pragma once

#include <termios.h>

namespace det::cli {

// While it lives, what is typed at the terminal is neither shown nor left for the next program:
// what is drawn there would be torn. Ctrl-C and its like work as ever, and a signal that ends the
// program restores the terminal first. Nothing at all where the standard input is no terminal, or
// that of another program. One at a time.
class QuietInput {
 public:
  explicit QuietInput(bool wanted);
  ~QuietInput() { Restore(); }
  QuietInput(const QuietInput&) = delete;
  QuietInput& operator=(const QuietInput&) = delete;

  // The terminal as it was, from now on.
  void Restore();

 private:
  bool active_ = false;
  termios before_ = {};
};

}  // namespace det::cli
