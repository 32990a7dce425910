#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "master/journal/journal.h"

namespace det::engine {

// What a journal was found to be.
struct JournalReport {
  int64_t events = 0;
  int64_t commits = 0;  // those whose hash was compared
  uint64_t hash = 0;    // core::RunningHash after the last event
  // What is wrong, as "after event 17 ..."; "" when every commit led to the state that its writer
  // recorded with it.
  std::string broken;
};

// Applies every event from the first, without snapshots, and compares the state after each commit
// with the hash that the master recorded as it wrote it. Reads only: also beside a master that
// writes; what comes after the call is not looked at.
absl::StatusOr<JournalReport> VerifyJournal(journal::Journal& journal);

}  // namespace det::engine
