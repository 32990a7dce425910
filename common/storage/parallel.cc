#include "common/storage/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

namespace det::storage {

absl::Status ParallelFor(size_t count,
                         int threads,
                         const std::function<absl::Status(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  Mutex mutex;
  absl::Status first;
  const auto loop = [&] {
    for (size_t i = next++; i < count && !failed.load(); i = next++) {
      const absl::Status status = work(i);
      if (status.ok()) continue;
      const MutexLock lock(mutex);
      if (!failed.exchange(true)) first = status;
    }
  };
  std::vector<std::thread> others;
  const size_t wanted = std::min(count, static_cast<size_t>(threads));
  for (size_t i = 1; i < wanted; ++i) others.emplace_back(loop);
  loop();
  for (std::thread& thread : others) thread.join();
  return first;
}

}  // namespace det::storage
