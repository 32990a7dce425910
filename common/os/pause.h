#pragma once

#include "absl/time/time.h"

namespace det {

// Does nothing for a while: between two tries of something that gives no sign when it is worth
// another. Whatever can be waited for is waited for instead.
void PauseFor(absl::Duration duration);

}  // namespace det
