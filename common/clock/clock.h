#pragma once

#include "absl/time/time.h"

namespace det {

// The only way to the time of day. Daemons get SystemClock, tests a ManualClock.
// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// Wall time that never runs backwards within the process, whatever the machine's clock does.
class SystemClock : public Clock {
 public:
  absl::Time Now() const override;
};

}  // namespace det
