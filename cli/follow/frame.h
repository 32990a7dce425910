#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cli/follow/snapshot.h"
#include "cli/format/style.h"

namespace det::cli::follow {

struct FrameOptions {
  Terminal terminal;
  absl::Time now;
  std::string notice;  // shown at the end: "reconnecting"; may be empty
};

// The live view of an experiment, line by line. No line is wider than the terminal and there are
// fewer lines than it has, so that drawing over them works. A terminal narrower than 40 columns is
// taken for one of 40.
std::vector<std::string> RenderFrame(const Snapshot& snapshot, const FrameOptions& options);

// "██████░░░░" or "######----". `fraction` outside of 0..1 counts as the nearer end.
std::string Bar(double fraction, int width, bool utf8);

}  // namespace det::cli::follow
