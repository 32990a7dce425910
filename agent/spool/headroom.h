#pragma once

#include <cstdint>
#include <string>

namespace det::spool {

// Of each file system that much is left free by logs and reports, so that the records that decide
// over them, and an order to stop what fills it, can still be written.
inline constexpr int64_t kHeadroomMax = int64_t{64} << 20;
inline constexpr int64_t kHeadroomShare = 50;  // a fiftieth, where that is less

// So many bytes may still be written below `path` for now; never below 0. Where it can't be told,
// as many as one likes. Any thread.
int64_t RoomAbove(const std::string& path);

}  // namespace det::spool
