#pragma once

#include <string>
#include <string_view>

namespace det::agent {

// Cuts a stream of bytes into lines. A line longer than kLineMax comes in pieces, all but the last
// of them `partial`. Holds at most one piece. One thread.
class LineSplitter {
 public:
  static constexpr size_t kLineMax = size_t{16} << 10;

  // emit(text, partial): the text is without the line's end and lives as long as the call.
  template <class Emit>
  void Feed(std::string_view bytes, Emit emit) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      const bool whole = end != std::string_view::npos;
      const std::string_view part = bytes.substr(0, end);
      bytes.remove_prefix(whole ? end + 1 : bytes.size());
      if (pending_.empty() && whole) {
        Cut(part, emit);
        continue;
      }
      pending_.append(part);
      const size_t left = whole ? Cut(pending_, emit) : CutFull(pending_, emit);
      pending_.erase(0, pending_.size() - left);
    }
  }

  // The stream is over: what is left of it is a line too.
  template <class Emit>
  void Finish(Emit emit) {
    if (!pending_.empty()) emit(std::string_view(pending_), false);
    pending_.clear();
  }

 private:
  // Whole pieces only; how many bytes are left. A piece is held until it is known that more
  // follows: a line of just that length is not partial.
  template <class Emit>
  static size_t CutFull(std::string_view text, Emit emit) {
    while (text.size() > kLineMax) {
      emit(text.substr(0, kLineMax), true);
      text.remove_prefix(kLineMax);
    }
    return text.size();
  }
  template <class Emit>
  static size_t Cut(std::string_view line, Emit emit) {
    const size_t left = CutFull(line, emit);
    emit(line.substr(line.size() - left), false);
    return 0;
  }

  std::string pending_;
};

}  // namespace det::agent
