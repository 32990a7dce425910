#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "common/os/process.h"

// A task's processes carry a mark in their environment. When its shim was killed, that is how what
// is left of it is found.
namespace det::agent {

inline constexpr std::string_view kMarkName = "DET_ALLOCATION_MARK";

// 128 random bits in hexadecimal: never the same twice.
absl::StatusOr<std::string> NewToken();

// `env` with this mark and no other.
std::vector<std::string> WithMark(std::vector<std::string> env, std::string_view token);

// Whether the bytes of /proc/PID/environ hold exactly this mark as one of their variables.
bool HasMark(std::string_view environ, std::string_view token);

// Every process with the mark that began at `since` (clock ticks after the boot) or later, of this
// user or, for root, of any; never the caller. Each was the same process before and after the look
// at its environment. One that replaced its environment is not found.
absl::StatusOr<std::vector<ProcessId>> FindMarked(std::string_view token, int64_t since);

}  // namespace det::agent
