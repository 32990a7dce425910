#include "cli/cluster/up_lock.h"

#include "cli/app/context.h"
#include "cli/cluster/wait.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/pause.h"
#include "common/os/process.h"

namespace det::cli {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr absl::Duration kBetweenTries = absl::Milliseconds(20);

}  // namespace

absl::StatusOr<LockFile> TakeTurn(Context& context, const Layout& layout) {
  WaitLine line(context, "waiting for another det up or det down");
  const absl::Duration deadline = SteadyNow() + context.options().timeout.value_or(kPatience);
  for (;;) {
    absl::StatusOr<LockFile> lock = LockFile::Acquire(layout.lock(), "det");
    if (lock.ok() || ErrorReason(lock.status()) != "LOCK_HELD") return lock;
    if (SteadyNow() >= deadline) {
      return Error(absl::StatusCode::kAborted,
                   "BUSY",
                   StrCat("another det up or det down works on ", layout.data(), " for too long"),
                   FromAbsl(lock.status().message()));
    }
    line.Show();
    PauseFor(kBetweenTries);
  }
}

}  // namespace det::cli
