#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include <sys/types.h>

// What the kernel counts, out of the texts of /proc. The parsers are pure; the readers may be
// called by any thread.
namespace det::agent {

// Counts since the boot, of the whole host.
struct HostCounts {
  double busy_seconds = 0;  // of all processors together
  double total_seconds = 0;
  int64_t memory_available = 0;  // bytes that programs could have
  int64_t disk_operations = 0;   // of all disks, whole ones only
  int64_t disk_bytes_read = 0;
  int64_t disk_bytes_written = 0;
};

// Of one process.
struct ProcessCounts {
  pid_t parent = 0;
  double own_seconds = 0;       // of processor time
  double children_seconds = 0;  // of those that ended and were waited for
  int64_t resident_bytes = 0;
};
using ProcessTable = std::map<pid_t, ProcessCounts>;

// What a process and all that descends from it use.
struct TreeCounts {
  double cpu_seconds = 0;
  int64_t resident_bytes = 0;
};

HostCounts ReadHost();
// Every process that can be seen.
ProcessTable ReadProcesses();

// Without `root` itself, but with what its children that have ended used. Pure.
TreeCounts CountTree(const ProcessTable& table, pid_t root);

namespace internal {
// "/proc/stat", "/proc/meminfo", "/proc/diskstats" and "/proc/PID/stat". What is not there stays.
void ParseCpu(std::string_view stat, HostCounts* counts);
void ParseMemory(std::string_view meminfo, HostCounts* counts);
void ParseDisks(std::string_view diskstats, HostCounts* counts);
bool ParseProcess(std::string_view line, ProcessCounts* counts);
}  // namespace internal

}  // namespace det::agent
