#pragma once

#include "absl/status/statusor.h"

#include "common/os/unique_fd.h"

namespace det {

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

// pipe2(2) with O_CLOEXEC. Any thread.
absl::StatusOr<Pipe> MakePipe();

}  // namespace det
