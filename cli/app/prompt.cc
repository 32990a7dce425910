#include "cli/app/prompt.h"

#include <cerrno>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/base/files.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr size_t kLineBytesMax = 64 << 10;
constexpr char kInterrupt = 3;
constexpr char kEndOfInput = 4;

// A terminal that shows nothing of what is typed, and hands over Ctrl-C as a character: so that
// nothing can end the program before the terminal is itself again.
class Silence {
 public:
  explicit Silence(int fd) : fd_(fd) {
    silent_ = tcgetattr(fd_, &before_) == 0;
    termios now = before_;
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG | ICANON);
    if (silent_) tcsetattr(fd_, TCSAFLUSH, &now);
  }
  ~Silence() {
    if (silent_) tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  const int fd_;
  bool silent_ = false;
  termios before_ = {};
};

absl::StatusOr<std::string> ReadLine(int fd) {
  std::string line;
  while (line.size() < kLineBytesMax) {
    char c = 0;
    const ssize_t got = read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1 || c == kInterrupt || (c == kEndOfInput && line.empty())) {
      return absl::CancelledError("nothing was typed");
    }
    if (c == '\n' || c == '\r' || c == kEndOfInput) return line;
    constexpr char kDelete = 127;
    if (c == kDelete || c == '\b') {
      if (!line.empty()) line.pop_back();
    } else {
      line.push_back(c);
    }
  }
  return line;
}

}  // namespace

absl::StatusOr<std::string> PromptSecret(const std::string& question) {
  const Fd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal.valid()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "NO_TERMINAL",
                 "there is no terminal to ask for the token",
                 "give it with --token-file FILE or --token-stdin");
  }
  DET_RETURN_IF_ERROR(WriteFull(terminal, "/dev/tty", question));
  absl::StatusOr<std::string> line;
  {
    const Silence silence(terminal.get());
    line = ReadLine(terminal.get());
  }
  DET_RETURN_IF_ERROR(WriteFull(terminal, "/dev/tty", "\n"));
  return line;
}

absl::StatusOr<std::string> ReadStandardInput() {
  std::string text(kLineBytesMax, '\0');
  Fd input(dup(STDIN_FILENO));
  DET_ASSIGN_OR_RETURN(const size_t size,
                       ReadFull(input, "the standard input", text.data(), text.size()));
  text.resize(size);
  return text;
}

}  // namespace det::cli
