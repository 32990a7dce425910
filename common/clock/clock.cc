#include "common/clock/clock.h"

#include <atomic>

#include "absl/time/clock.h"

namespace det {

absl::Time SystemClock::Now() const {
  static std::atomic<int64_t> latest{0};
  const int64_t now = absl::ToUnixNanos(absl::Now());
  int64_t seen = latest.load(std::memory_order_relaxed);
  while (seen < now && !latest.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
  return absl::FromUnixNanos(std::max(now, seen));
}

}  // namespace det
