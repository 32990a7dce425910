#include "master/ingest/retention.h"

#include <algorithm>
#include <array>

namespace det::ingest {
namespace {

constexpr std::array<int64_t, 13> kClasses = {
    0, 1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1825, 3650};

}  // namespace

int64_t RetentionClass(int64_t days) {
  if (days < 0) return -1;
  const auto* const at = std::lower_bound(kClasses.begin(), kClasses.end(), days);
  return at == kClasses.end() ? -1 : *at;
}

}  // namespace det::ingest
