#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace det::cli {

// "7" or "e7", where `letter` is 'e' and `what` "experiment". Errors: INVALID_ARGUMENT (reason
// USAGE).
absl::StatusOr<int64_t> ParseId(const std::string& text, char letter, const std::string& what);

// "7,e8" at its commas.
std::vector<std::string> SplitIds(const std::string& text);

// The same for many, each once, in their order.
absl::StatusOr<std::vector<int64_t>> ParseIds(const std::vector<std::string>& texts,
                                              char letter,
                                              const std::string& what);

// What the master calls a checkpoint: UUID, or TRIAL/UUID with the trial as people write it.
absl::StatusOr<std::string> ParseCheckpoint(const std::string& text);

// A --limit or --tail: at least 1.
absl::Status CheckPositive(const std::string& option, int64_t value);

}  // namespace det::cli
