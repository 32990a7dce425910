#include "cli/app/output.h"

#include <cerrno>

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/app/pager.h"

namespace det::cli {

void FdOutput::Write(std::string_view bytes) {
  while (!bytes.empty() && error_ == 0) {
    const ssize_t put = write(fd_, bytes.data(), bytes.size());
    if (put > 0) {
      bytes.remove_prefix(static_cast<size_t>(put));
    } else if (put < 0 && errno != EINTR) {
      error_ = errno;
    }
  }
}

bool FdOutput::IsTty() const {
  return isatty(fd_) == 1;
}

Output::Size FdOutput::size() const {
  struct winsize window = {};
  if (ioctl(fd_, TIOCGWINSZ, &window) != 0) return {};
  Size size;
  if (window.ws_col > 0) size.width = window.ws_col;
  if (window.ws_row > 0) size.height = window.ws_row;
  return size;
}

bool FdOutput::Page(const std::string& command, std::string_view text) {
  return fd_ == STDOUT_FILENO && cli::Page(command, text);
}

}  // namespace det::cli
