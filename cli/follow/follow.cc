#include "cli/follow/follow.h"

#include <algorithm>

#include "cli/app/context.h"
#include "cli/app/interrupt.h"
#include "cli/app/live_region.h"
#include "cli/app/quiet_input.h"
#include "cli/follow/changes.h"
#include "cli/follow/frame.h"
#include "cli/follow/watcher.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli::follow {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(500);  // the clock in the corner runs on
constexpr absl::Duration kIdle = absl::Hours(1);
constexpr int kWidthMin = 40;
constexpr int kHeightMin = 10;

// Shows what a watcher brings, in the way that the terminal allows.
class Display {
 public:
  Display(Context& context, bool show)
      : context_(context),
        region_([&context](std::string_view bytes) { context.err().Write(bytes); }) {
    const Terminal terminal = context.ErrTerminal();
    const GlobalOptions& options = context.options();
    show_ = show && !options.quiet;
    live_ = show_ && !options.no_progress && terminal.redraw && terminal.width >= kWidthMin &&
            terminal.height >= kHeightMin;
  }

  bool live() const { return live_; }

  void Show(const Watcher::Update& update) {
    if (!show_) return;
    if (live_) {
      if (update.snapshot.has_value()) Draw(update);
    } else {
      Tell(update);
    }
  }
  void Clear() { region_.Clear(); }

 private:
  void Draw(const Watcher::Update& update) {
    FrameOptions options{context_.ErrTerminal(), context_.Now(), ""};
    if (update.away) options.notice = "the master can't be reached; trying again";
    region_.Draw(RenderFrame(*update.snapshot, options));
  }

  void Tell(const Watcher::Update& update) {
    if (update.away && !away_) context_.Warn("the master can't be reached; trying again");
    away_ = update.away;
    if (!update.fresh) return;
    for (const std::string& line : NoteworthyChanges(before_, *update.snapshot)) {
      context_.Say(line);
    }
    before_ = update.snapshot;
  }

  Context& context_;
  LiveRegion region_;
  bool show_ = false;
  bool live_ = false;
  bool away_ = false;
  std::optional<Snapshot> before_;
};

absl::Status GaveUp(int64_t experiment) {
  return Error(absl::StatusCode::kDeadlineExceeded,
               "WAIT_TIMEOUT",
               StrCat("experiment ", experiment, " has not ended in time"),
               "it goes on; a longer --timeout waits longer");
}

}  // namespace

absl::StatusOr<FollowEnd> Follow(Context& context,
                                 Client* client,
                                 int64_t experiment,
                                 const FollowOptions& options) {
  const absl::Time start = absl::Now();
  Display display(context, options.show);
  Watcher watcher(client, experiment);
  QuietInput quiet(display.live());
  const InterruptGuard guard([&] {
    quiet.Restore();  // a second Ctrl-C ends the program at once
    watcher.Interrupt();
  });
  FollowEnd end;
  while (true) {
    const absl::Duration left =
        options.give_up.has_value() ? start + *options.give_up - absl::Now() : kIdle;
    if (left <= absl::ZeroDuration()) return GaveUp(experiment);
    const Watcher::Update update = watcher.Wait(std::min(left, display.live() ? kRedraw : kIdle));
    if (update.snapshot.has_value()) end.last = *update.snapshot;
    if (update.interrupted) {
      end.detached = true;
      return end;
    }
    display.Show(update);
    if (!update.closed) continue;
    DET_RETURN_IF_ERROR(update.status);
    return end;
  }
}

}  // namespace det::cli::follow
