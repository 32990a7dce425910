#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace det::cli {

// Whether nobody listens there on this machine's loopback interface.
bool PortIsFree(int64_t port);

// `wanted` if it is free, else the first free one after it. Never `not_this`.
absl::StatusOr<int64_t> FreePort(int64_t wanted, int64_t not_this);

}  // namespace det::cli
