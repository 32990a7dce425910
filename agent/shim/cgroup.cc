#include "agent/shim/cgroup.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/unique_dir.h"

namespace det::agent {
namespace {

constexpr size_t kFileMax = size_t{1} << 20;
constexpr mode_t kMode = 0755;
constexpr int kDepthMax = 16;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool Contains(const std::vector<std::string_view>& parts, std::string_view part) {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

// No creation: a control file is there or it is not.
bool WriteControl(const std::string& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.valid() &&
         ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// The number after a word in a file of "word number" lines.
std::optional<int64_t> ReadCounter(const std::string& path, std::string_view word) {
  const absl::StatusOr<std::string> text = ReadFile(path, kFileMax);
  if (!text.ok()) return std::nullopt;
  for (const std::string_view line : Split(*text, '\n')) {
    if (!line.starts_with(word) || line.size() <= word.size() || line[word.size()] != ' ') continue;
    const std::string_view digits = line.substr(word.size() + 1);
    int64_t number = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (result.ec == std::errc()) return number;
  }
  return std::nullopt;
}

// The caller's path by controller; "" is version 2.
std::map<std::string, std::string, std::less<>> OwnPaths(std::string_view cgroup) {
  std::map<std::string, std::string, std::less<>> paths;
  for (const std::string_view line : Split(cgroup, '\n')) {
    // "4:memory,cpu:/path"
    const size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (controllers.empty()) paths[""] = path;
    for (const std::string_view controller : Split(controllers, ',')) {
      paths[std::string(controller)] = path;
    }
  }
  return paths;
}

// Where a path of a hierarchy lies, when a part of that hierarchy (its root) is mounted at a place.
// "" when outside of that part.
std::string Place(std::string_view mount_point, std::string_view root, std::string_view path) {
  if (path.starts_with("/..") || mount_point.find('\\') != std::string_view::npos) return "";
  if (root == "/") root = "";
  if (!path.starts_with(root)) return "";
  path.remove_prefix(root.size());
  if (!path.empty() && path.front() != '/') return "";
  while (path.ends_with('/')) path.remove_suffix(1);
  return StrCat(mount_point, path);
}

bool RemoveGroup(const std::string& directory, int depth) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) return true;
  if (depth >= kDepthMax) return false;
  // The task may have made groups of its own in it.
  const UniqueDir dir(::opendir(directory.c_str()));
  if (dir == nullptr) return false;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
    RemoveGroup(StrCat(directory, "/", name), depth + 1);
  }
  return ::rmdir(directory.c_str()) == 0 || errno == ENOENT;
}

// A pid of cgroup.procs may be another process's by the time it is looked at; the group's name is
// unlike any other, so a process that says to be in it is.
bool IsMember(pid_t pid, const std::string& directory) {
  const std::string name = directory.substr(directory.rfind('/'));
  const absl::StatusOr<std::string> text = ReadFile(StrCat("/proc/", pid, "/cgroup"), kFileMax);
  if (!text.ok()) return false;
  const std::vector<std::string_view> lines = Split(*text, '\n');
  return std::any_of(
      lines.begin(), lines.end(), [&](std::string_view line) { return line.ends_with(name); });
}

void AddMembers(const std::string& directory, std::vector<ProcessId>* members) {
  const absl::StatusOr<std::string> text = ReadFile(StrCat(directory, "/cgroup.procs"), kFileMax);
  if (!text.ok()) return;
  for (const std::string_view line : Split(*text, '\n')) {
    pid_t pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    const absl::StatusOr<ProcessStat> stat = ReadProcessStat(pid);
    if (!stat.ok() || stat->ended() || !IsMember(pid, directory)) continue;
    if (std::find(members->begin(), members->end(), stat->id) == members->end()) {
      members->push_back(stat->id);
    }
  }
}

}  // namespace

namespace internal {

std::vector<CgroupHierarchy> FindHierarchies(std::string_view mountinfo, std::string_view cgroup) {
  const auto own = OwnPaths(cgroup);
  std::vector<CgroupHierarchy> found;
  const auto add = [&](std::string_view mount_point, std::string_view root, std::string_view key) {
    const auto path = own.find(key);
    if (path == own.end()) return;
    std::string directory = Place(mount_point, root, path->second);
    const bool known = std::any_of(found.begin(), found.end(), [&](const CgroupHierarchy& other) {
      return other.directory == directory;
    });
    if (!directory.empty() && !known) found.push_back({std::move(directory), key.empty()});
  };
  for (const std::string_view line : Split(mountinfo, '\n')) {
    // "36 35 98:0 /root /mount/point rw - cgroup cgroup rw,memory"
    const size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const std::vector<std::string_view> before = Split(line.substr(0, dash), ' ');
    const std::vector<std::string_view> after = Split(line.substr(dash + 3), ' ');
    constexpr size_t kRoot = 3;
    constexpr size_t kMountPoint = 4;
    constexpr size_t kOptions = 2;
    if (before.size() <= kMountPoint || after.size() <= kOptions) continue;
    if (after[0] == "cgroup2") add(before[kMountPoint], before[kRoot], "");
    if (after[0] != "cgroup") continue;
    const std::vector<std::string_view> options = Split(after[kOptions], ',');
    for (const std::string_view controller : {"pids", "memory"}) {
      if (Contains(options, controller)) add(before[kMountPoint], before[kRoot], controller);
    }
  }
  return found;
}

}  // namespace internal

Cgroup Cgroup::Create(std::string_view name, int64_t processes_max, std::string* why_none) {
  const absl::StatusOr<std::string> mounts = ReadFile("/proc/self/mountinfo", kFileMax);
  const absl::StatusOr<std::string> own = ReadFile("/proc/self/cgroup", kFileMax);
  *why_none = "no cgroup hierarchy is mounted";
  Cgroup group;
  if (!mounts.ok() || !own.ok()) return group;
  for (const internal::CgroupHierarchy& hierarchy : internal::FindHierarchies(*mounts, *own)) {
    const std::string directory = StrCat(hierarchy.directory, "/", name);
    if (::mkdir(directory.c_str(), kMode) != 0) {
      *why_none = FromAbsl(OsError(errno, "make", directory).message());
      continue;
    }
    if (processes_max > 0) {
      (void)WriteControl(StrCat(directory, "/pids.max"), std::to_string(processes_max));
    }
    group.directories_.push_back(directory);
  }
  if (!group.none()) why_none->clear();
  return group;
}

absl::StatusOr<std::vector<UniqueFd>> Cgroup::OpenToJoin() const {
  std::vector<UniqueFd> fds;
  for (const std::string& directory : directories_) {
    DET_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(StrCat(directory, "/cgroup.procs"), O_WRONLY));
    fds.push_back(std::move(fd));
  }
  return fds;
}

void Cgroup::Kill() const {
  for (const std::string& directory : directories_) {
    (void)WriteControl(StrCat(directory, "/pids.max"), "0");
    (void)WriteControl(StrCat(directory, "/cgroup.kill"), "1");
  }
}

std::vector<ProcessId> Cgroup::Members() const {
  std::vector<ProcessId> members;
  for (const std::string& directory : directories_) AddMembers(directory, &members);
  return members;
}

std::optional<int64_t> Cgroup::OomKills() const {
  for (const std::string& directory : directories_) {
    for (const std::string_view file : {"memory.events", "memory.oom_control"}) {
      const auto count = ReadCounter(StrCat(directory, "/", file), "oom_kill");
      if (count.has_value()) return count;
    }
  }
  return std::nullopt;
}

bool Cgroup::Remove() const {
  bool all = true;
  for (const std::string& directory : directories_) all = RemoveGroup(directory, 0) && all;
  return all;
}

std::optional<int64_t> HostOomKills() {
  return ReadCounter("/proc/vmstat", "oom_kill");
}

}  // namespace det::agent
