#include "cli/format/wrap.h"

#include <algorithm>

#include "cli/format/width.h"

namespace det::cli {
namespace {

class Wrapper {
 public:
  explicit Wrapper(int width) : width_(std::max(width, 1)) {}

  void Word(std::string_view word) {
    const int needed = DisplayWidth(word);
    if (used_ > 0 && used_ + 1 + needed > width_) Break();
    if (used_ > 0 || !line_.empty()) {
      line_.push_back(' ');
      ++used_;
    }
    if (used_ + needed <= width_) {
      line_.append(word);
      used_ += needed;
      return;
    }
    Pieces(word);
  }
  void Break() {
    lines_.push_back(std::move(line_));
    line_.clear();
    used_ = 0;
  }
  std::vector<std::string> Take() {
    Break();
    return std::move(lines_);
  }

 private:
  // Of a word that is wider than a line.
  void Pieces(std::string_view word) {
    while (!word.empty()) {
      const Decoded at = DecodeUtf8(word);
      const int needed = at.valid ? CharWidth(at.code) : 1;
      if (used_ > 0 && used_ + needed > width_) Break();
      line_.append(word.substr(0, at.bytes));
      used_ += needed;
      word.remove_prefix(at.bytes);
    }
  }

  const int width_;
  std::vector<std::string> lines_;
  std::string line_;
  int used_ = 0;
};

}  // namespace

std::vector<std::string> WrapLines(std::string_view text, int width) {
  Wrapper wrapper(width);
  while (true) {
    const size_t end = text.find_first_of(" \n");
    wrapper.Word(text.substr(0, end));
    if (end == std::string_view::npos) return wrapper.Take();
    if (text[end] == '\n') wrapper.Break();
    text.remove_prefix(end + 1);
  }
}

}  // namespace det::cli
