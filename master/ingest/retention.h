#pragma once

#include <cstdint>

namespace det::ingest {

// Logs of one class are stored together, so that they can be dropped together. The class of lines
// that are to be kept for so many days is the next of 0, 1, 3, 7, 14, 30, 60, 90, 180, 365, 730,
// 1825 and 3650 days, and -1, for ever, beyond: what is kept is kept at least as long as asked.
int64_t RetentionClass(int64_t days);

}  // namespace det::ingest
