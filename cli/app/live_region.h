#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace det::cli {

// A part of a terminal that is drawn over and over, and vanishes at the end. Whatever else is
// written there has to wait until Clear.
class LiveRegion {
 public:
  explicit LiveRegion(std::function<void(std::string_view)> write) : write_(std::move(write)) {}
  ~LiveRegion() { Clear(); }
  LiveRegion(const LiveRegion&) = delete;
  LiveRegion& operator=(const LiveRegion&) = delete;

  // Shows `lines` in place of those before, in one write, so that nothing flickers.
  void Draw(const std::vector<std::string>& lines);
  void Clear();

 private:
  const std::function<void(std::string_view)> write_;
  size_t drawn_ = 0;  // lines; the cursor stands below them
};

}  // namespace det::cli
