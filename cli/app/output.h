#pragma once

#include <string>
#include <string_view>

namespace det::cli {

// Where a verb writes: a file descriptor, or a string in tests.
class Output {
 public:
  struct Size {
    int width = 80;
    int height = 24;
  };
  virtual ~Output() = default;
  virtual void Write(std::string_view bytes) = 0;
  virtual bool IsTty() const { return false; }
  virtual Size size() const { return {}; }
  // Shows long text through a pager. False: it was not shown.
  virtual bool Page(const std::string& /*command*/, std::string_view /*text*/) { return false; }
  // What went wrong with a write: 0, or the first errno.
  virtual int error() const { return 0; }
};

// Unbuffered: each Write is seen at once, as following a log asks for.
class FdOutput : public Output {
 public:
  explicit FdOutput(int fd) : fd_(fd) {}
  void Write(std::string_view bytes) override;
  bool IsTty() const override;
  Size size() const override;
  bool Page(const std::string& command, std::string_view text) override;
  int error() const override { return error_; }

 private:
  const int fd_;
  int error_ = 0;
};

class StringOutput : public Output {
 public:
  void Write(std::string_view bytes) override { text_.append(bytes); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace det::cli
