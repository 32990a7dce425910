#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/status.h"

namespace det::storage {

// Calls `work` for 0 to count - 1, on up to so many threads at once, this one among them. After an
// error nothing new begins; gives the first one.
absl::Status ParallelFor(size_t count,
                         int threads,
                         const std::function<absl::Status(size_t)>& work);

}  // namespace det::storage
