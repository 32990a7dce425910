#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/sampling/proc_read.h"
#include "agent/sampling/reports.h"
#include "agent/sampling/sampler.h"
#include "common/base/mutex.h"
#include "common/os/spawn.h"
#include "common/testing/eventually.h"

namespace det::agent {
namespace {

TEST(ProcRead, CountsWhatTheKernelSays) {
  HostCounts counts;
  internal::ParseCpu("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1\n", &counts);
  EXPECT_DOUBLE_EQ(counts.total_seconds * static_cast<double>(sysconf(_SC_CLK_TCK)), 1000);
  EXPECT_DOUBLE_EQ(counts.busy_seconds / counts.total_seconds, 0.2);
  internal::ParseMemory("MemTotal: 100 kB\nMemAvailable:    2048 kB\n", &counts);
  EXPECT_EQ(counts.memory_available, 2 << 20);
  internal::ParseDisks(
      "   8       0 sda 10 0 4 0 20 0 8 0 0 0 0\n   8       1 sda1 10 0 4 0 20 0 8 0 0 0 0\n"
      " 259 0 nvme0n1 1 0 2 0 3 0 4 0\n 259 1 nvme0n1p1 1 0 2 0 3 0 4 0\n"
      "   7 0 loop0 9 9 9 9 9 9 9 9\n 253 0 dm-0 9 9 9 9 9 9 9 9\n short\n",
      &counts);
  EXPECT_EQ(counts.disk_operations, 34);
  EXPECT_EQ(counts.disk_bytes_read, 6 * 512);
  EXPECT_EQ(counts.disk_bytes_written, 12 * 512);
  HostCounts none;
  for (const char* text : {"", "cpu ", "cpu x y z\n", "MemAvailable:", "\n\n\n"}) {
    internal::ParseCpu(text, &none);
    internal::ParseMemory(text, &none);
    internal::ParseDisks(text, &none);
  }
  EXPECT_EQ(none.memory_available, 0);
}

TEST(ProcRead, AProcessMayBeCalledAnything) {
  ProcessCounts counts;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_TRUE(internal::ParseProcess(
      "7 (a) b (x) S 5 7 7 0 -1 0 1 2 3 4 10 20 30 40 20 0 1 0 99 1000 3 0 0", &counts));
  EXPECT_EQ(counts.parent, 5);
  EXPECT_DOUBLE_EQ(counts.own_seconds * ticks, 30);
  EXPECT_DOUBLE_EQ(counts.children_seconds * ticks, 70);
  EXPECT_EQ(counts.resident_bytes, 3 * sysconf(_SC_PAGESIZE));
  EXPECT_FALSE(internal::ParseProcess("7 (a) S 5", &counts));
  EXPECT_FALSE(internal::ParseProcess("", &counts));
}

TEST(ProcRead, ATreeIsItsDescendantsWithTheirPast) {
  const ProcessTable table = {{1, {0, 100, 100, 1}},
                              {10, {1, 50, 7, 50}},
                              {11, {10, 1, 2, 3}},
                              {12, {11, 4, 0, 5}},
                              {13, {1, 9, 9, 9}}};
  const TreeCounts counts = CountTree(table, 10);
  EXPECT_DOUBLE_EQ(counts.cpu_seconds, 7 + 1 + 2 + 4);
  EXPECT_EQ(counts.resident_bytes, 8);
  EXPECT_EQ(CountTree(table, 77).resident_bytes, 0);
  EXPECT_EQ(CountTree({{1, {2, 1, 0, 1}}, {2, {1, 1, 0, 1}}}, 1).resident_bytes > 0, true);
}

TEST(Sampler, SeesWhatAProcessUses) {
  Mutex mutex;
  std::vector<Sampler::Point> points;
  Sampler sampler({.every = absl::Milliseconds(100), .point_every = absl::Milliseconds(400)},
                  [&](AllocationId id, const Sampler::Point& point) {
                    EXPECT_EQ(id, AllocationId(3));
                    MutexLock lock(mutex);
                    points.push_back(point);
                  });
  const auto pid =
      Spawn({.argv = {"/bin/sh", "-c", "while :; do :; done"}, .env = {"PATH=/usr/bin:/bin"}});
  ASSERT_TRUE(pid.ok()) << pid.status();
  sampler.Add(AllocationId(3), getpid());
  EXPECT_TRUE(Eventually([&] {
    MutexLock lock(mutex);
    return points.size() >= 3;
  }));
  sampler.Remove(AllocationId(3));
  ::kill(*pid, SIGKILL);
  MutexLock lock(mutex);
  // Others use the processors too: it may get little of one, but some.
  EXPECT_GT(points[1].task_cpu_percent, 1);
  EXPECT_LT(points[1].task_cpu_percent, 150);
  EXPECT_GT(points[1].task_memory_bytes, 100'000);
  EXPECT_GT(points[1].memory_free, 1'000'000);
  EXPECT_GT(points[1].cpu_util_simple, 0);
  EXPECT_LE(points[1].cpu_util_simple, 100);
  const std::vector<v1::Report> reports = ToReports(points[1]);
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(reports[1].metrics().group(), "memory");
  EXPECT_NE(reports[0].metrics().metrics_json().find("\"task_cpu_percent\":"), std::string::npos);
}

}  // namespace
}  // namespace det::agent
