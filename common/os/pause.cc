#include "common/os/pause.h"

#include "absl/time/clock.h"

namespace det {

void PauseFor(absl::Duration duration) {
  absl::SleepFor(duration);
}

}  // namespace det
