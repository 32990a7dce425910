#include "cli/cluster/wait.h"

#include <utility>

#include "cli/app/context.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/pause.h"

namespace det::cli {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(10);
// A line that is gone at once would only flicker.
constexpr absl::Duration kShowAfter = absl::Milliseconds(300);

}  // namespace

WaitLine::WaitLine(Context& context, std::string doing)
    : doing_(std::move(doing)),
      begun_(SteadyNow()),
      region_([&context](std::string_view text) { context.err().Write(text); }) {
  const GlobalOptions& options = context.options();
  shown_ = context.ErrTerminal().redraw && !options.quiet && !options.no_progress;
}

void WaitLine::Show() {
  const absl::Duration waited = SteadyNow() - begun_;
  const int64_t seconds = absl::ToInt64Seconds(waited);
  if (!shown_ || waited < kShowAfter || seconds == seconds_) return;
  seconds_ = seconds;
  region_.Draw({StrCat(doing_, seconds > 0 ? StrCat(", ", seconds, " s") : std::string(), " ...")});
}

absl::Status Await(Context& context,
                   const Awaited& what,
                   absl::Duration patience,
                   const std::function<absl::StatusOr<bool>()>& ready) {
  WaitLine line(context, StrCat(what.ours ? "starting " : "waiting for ", what.daemon.program));
  const absl::Duration deadline = SteadyNow() + patience;
  for (;;) {
    // In this order: what was ready just before it died is dead.
    DET_ASSIGN_OR_RETURN(const bool is_ready, ready());
    DET_ASSIGN_OR_RETURN(const bool alive, IsAlive(what.started.id));
    if (!alive && what.ours) return DeathOf(what.daemon, what.started);
    if (!alive) {
      return Error(absl::StatusCode::kUnknown,
                   "DAEMON_DIED",
                   StrCat(what.daemon.program, " ended while it was waited for"),
                   StrCat("see ", what.daemon.log, ", then try again"));
    }
    if (is_ready) return absl::OkStatus();
    if (SteadyNow() >= deadline) {
      return Error(absl::StatusCode::kDeadlineExceeded,
                   "NOT_READY",
                   StrCat(what.daemon.program,
                          " runs, but did not become ",
                          what.becoming,
                          " within ",
                          absl::FormatDuration(patience)),
                   StrCat("see ", what.daemon.log, "; det down stops it"));
    }
    line.Show();
    PauseFor(kBetweenLooks);
  }
}

}  // namespace det::cli
