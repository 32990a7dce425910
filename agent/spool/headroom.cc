#include "agent/spool/headroom.h"

#include <algorithm>

#include <sys/statvfs.h>

namespace det::spool {

int64_t RoomAbove(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return INT64_MAX;
  const auto block = static_cast<int64_t>(info.f_frsize);
  const int64_t free = static_cast<int64_t>(info.f_bavail) * block;
  const int64_t all = static_cast<int64_t>(info.f_blocks) * block;
  return std::max<int64_t>(free - std::min(kHeadroomMax, all / kHeadroomShare), 0);
}

}  // namespace det::spool
