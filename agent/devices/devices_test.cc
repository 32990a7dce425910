#include "agent/devices/devices.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "common/base/status.h"

namespace det::agent {
namespace {

TEST(Devices, ASlotForEachCoreThatMayBeUsed) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  const auto slots = CpuSlots(0);
  ASSERT_TRUE(slots.ok()) << slots.status();
  ASSERT_EQ(static_cast<int>(slots->size()), CPU_COUNT(&allowed));
  for (size_t i = 0; i < slots->size(); ++i) {
    EXPECT_EQ((*slots)[i].index, static_cast<int>(i));
    EXPECT_EQ((*slots)[i].kind, "cpu");
    EXPECT_FALSE((*slots)[i].name.empty());
  }
}

TEST(Devices, AsManyAsAreAskedFor) {
  EXPECT_EQ(CpuSlots(7)->size(), 7);
  for (const int count : {-1, 1025})
    EXPECT_EQ(ErrorReason(CpuSlots(count).status()), "INVALID_SLOTS");
  EXPECT_EQ(ArtificialSlots(3)[2].kind, "artificial");
  EXPECT_TRUE(ArtificialSlots(0).empty());
}

}  // namespace
}  // namespace det::agent
