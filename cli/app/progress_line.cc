#include "cli/app/progress_line.h"

#include <utility>

#include "cli/app/context.h"
#include "cli/format/quantity.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(100);

}  // namespace

ProgressLine::ProgressLine(Context& context, std::string doing, int64_t total_bytes)
    : doing_(std::move(doing)),
      total_bytes_(total_bytes),
      region_([&context](std::string_view text) { context.err().Write(text); }) {
  const GlobalOptions& options = context.options();
  shown_ = context.ErrTerminal().redraw && !options.quiet && !options.no_progress;
}

void ProgressLine::Show(int64_t done_bytes) {
  const absl::Time now = absl::Now();
  if (!shown_ || now - drawn_ < kRedraw) return;
  drawn_ = now;
  region_.Draw({StrCat(doing_, " ", BytesText(done_bytes), " of ", BytesText(total_bytes_))});
}

}  // namespace det::cli
