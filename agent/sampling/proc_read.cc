#include "agent/sampling/proc_read.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <dirent.h>
#include <unistd.h>

#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/unique_dir.h"

namespace det::agent {
namespace {

constexpr size_t kFileMax = size_t{4} << 20;
constexpr int64_t kSectorBytes = 512;  // of /proc/diskstats, whatever the disk's are

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < line.size();) {
    const size_t begin = line.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    const size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    at = end;
  }
  return words;
}

template <class Visit>
void ForEachLine(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

int64_t NumberOf(std::string_view word) {
  int64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

double TicksToSeconds(int64_t ticks) {
  static const auto per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  return static_cast<double>(ticks) / per_second;
}

// A part of a disk is counted with its disk; what lies upon others is counted with them.
bool IsWholeDisk(std::string_view name) {
  const auto ends_in_digit = [&] { return name.back() >= '0' && name.back() <= '9'; };
  for (const std::string_view virtual_kind : {"loop", "ram", "dm-", "md", "zram", "sr", "fd"}) {
    if (name.starts_with(virtual_kind)) return false;
  }
  // nvme0n1p2, mmcblk0p1
  if (name.starts_with("nvme") || name.starts_with("mmcblk"))
    return name.find('p', name.starts_with("mmcblk") ? 6 : 4) == std::string_view::npos;
  return !ends_in_digit();
}

}  // namespace

namespace internal {

void ParseCpu(std::string_view stat, HostCounts* counts) {
  ForEachLine(stat, [&](std::string_view line) {
    if (!line.starts_with("cpu ")) return;
    const std::vector<std::string_view> words = Words(line);
    // user nice system idle iowait irq softirq steal; guests are counted with users.
    constexpr size_t kIdle = 4;
    constexpr size_t kIoWait = 5;
    constexpr size_t kLast = 8;
    int64_t total = 0;
    int64_t idle = 0;
    for (size_t i = 1; i < words.size() && i <= kLast; ++i) {
      total += NumberOf(words[i]);
      if (i == kIdle || i == kIoWait) idle += NumberOf(words[i]);
    }
    counts->total_seconds = TicksToSeconds(total);
    counts->busy_seconds = TicksToSeconds(total - idle);
  });
}

void ParseMemory(std::string_view meminfo, HostCounts* counts) {
  ForEachLine(meminfo, [&](std::string_view line) {
    if (!line.starts_with("MemAvailable:")) return;
    const std::vector<std::string_view> words = Words(line);
    if (words.size() > 1) counts->memory_available = NumberOf(words[1]) * 1024;
  });
}

void ParseDisks(std::string_view diskstats, HostCounts* counts) {
  ForEachLine(diskstats, [&](std::string_view line) {
    // major minor name reads merged sectors ms writes merged sectors ms ...
    constexpr size_t kName = 2;
    constexpr size_t kReads = 3;
    constexpr size_t kSectorsRead = 5;
    constexpr size_t kWrites = 7;
    constexpr size_t kSectorsWritten = 9;
    const std::vector<std::string_view> words = Words(line);
    if (words.size() <= kSectorsWritten || !IsWholeDisk(words[kName])) return;
    counts->disk_operations += NumberOf(words[kReads]) + NumberOf(words[kWrites]);
    counts->disk_bytes_read += NumberOf(words[kSectorsRead]) * kSectorBytes;
    counts->disk_bytes_written += NumberOf(words[kSectorsWritten]) * kSectorBytes;
  });
}

bool ParseProcess(std::string_view line, ProcessCounts* counts) {
  // The name may hold anything, also a bracket; state, parent and so on follow its last one.
  const size_t end = line.rfind(')');
  if (end == std::string_view::npos) return false;
  const std::vector<std::string_view> words = Words(line.substr(end + 1));
  constexpr size_t kParent = 1;
  constexpr size_t kUser = 11;
  constexpr size_t kResident = 21;
  if (words.size() <= kResident) return false;
  static const int64_t page = sysconf(_SC_PAGESIZE);
  counts->parent = static_cast<pid_t>(NumberOf(words[kParent]));
  counts->own_seconds = TicksToSeconds(NumberOf(words[kUser]) + NumberOf(words[kUser + 1]));
  counts->children_seconds =
      TicksToSeconds(NumberOf(words[kUser + 2]) + NumberOf(words[kUser + 3]));
  counts->resident_bytes = NumberOf(words[kResident]) * page;
  return true;
}

}  // namespace internal

HostCounts ReadHost() {
  HostCounts counts;
  internal::ParseCpu(ReadFile("/proc/stat", kFileMax).value_or(""), &counts);
  internal::ParseMemory(ReadFile("/proc/meminfo", kFileMax).value_or(""), &counts);
  internal::ParseDisks(ReadFile("/proc/diskstats", kFileMax).value_or(""), &counts);
  return counts;
}

ProcessTable ReadProcesses() {
  ProcessTable table;
  const UniqueDir dir(::opendir("/proc"));
  if (dir == nullptr) return table;
  while (const dirent* entry = ::readdir(dir.get())) {
    const auto pid = static_cast<pid_t>(NumberOf(entry->d_name));
    if (pid <= 0) continue;
    const auto line = ReadFile(StrCat("/proc/", pid, "/stat"), kFileMax);
    ProcessCounts counts;
    if (line.ok() && internal::ParseProcess(*line, &counts)) table[pid] = counts;
  }
  return table;
}

TreeCounts CountTree(const ProcessTable& table, pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& [pid, counts] : table) children.emplace(counts.parent, pid);
  TreeCounts sum;
  if (const auto at = table.find(root); at != table.end())
    sum.cpu_seconds += at->second.children_seconds;
  std::vector<pid_t> open = {root};
  // A table that was read while processes came and went has no circles, but nothing relies on it.
  for (size_t looked_at = 0; !open.empty() && looked_at <= table.size(); ++looked_at) {
    const auto [begin, end] = children.equal_range(open.back());
    open.pop_back();
    for (auto at = begin; at != end; ++at) {
      const ProcessCounts& counts = table.at(at->second);
      sum.cpu_seconds += counts.own_seconds + counts.children_seconds;
      sum.resident_bytes += counts.resident_bytes;
      open.push_back(at->second);
    }
  }
  return sum;
}

}  // namespace det::agent
