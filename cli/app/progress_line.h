#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

#include "cli/app/live_region.h"

namespace det::cli {

class Context;

// "uploading 12.0 MiB of 40.0 MiB" on the standard error of a terminal, gone at the end. Nothing at
// all where there is no terminal or nobody wants it.
class ProgressLine {
 public:
  ProgressLine(Context& context, std::string doing, int64_t total_bytes);
  void Show(int64_t done_bytes);

 private:
  const std::string doing_;
  const int64_t total_bytes_;
  bool shown_ = false;
  absl::Time drawn_ = absl::InfinitePast();
  LiveRegion region_;
};

}  // namespace det::cli
