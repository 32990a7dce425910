#include "agent/task/mark.h"

#include <array>
#include <cerrno>

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::agent {
namespace {

// The kernel allows no larger environment: a quarter of the stack, 6 MiB at most.
constexpr size_t kEnvironMax = size_t{8} << 20;

// A machine on which processes come and go all the time must not keep anybody looking.
constexpr int kLooksMax = 200;
constexpr size_t kLoadMax = 256;

std::string MarkOf(std::string_view token) {
  return StrCat(kMarkName, "=", token);
}

bool MayLookAt(pid_t pid) {
  if (::geteuid() == 0) return true;
  struct stat info {};
  return ::stat(StrCat("/proc/", pid).c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

// False also when it has ended or can't be read.
absl::StatusOr<bool> CarriesMark(const ProcessId& id, std::string_view token) {
  const absl::StatusOr<std::string> environ =
      ReadFile(StrCat("/proc/", id.pid, "/environ"), kEnvironMax);
  if (ErrorReason(environ.status()) == "TOO_MANY_OPEN_FILES") return environ.status();
  if (!environ.ok() || !HasMark(*environ, token)) return false;
  return IsAlive(id);
}

}  // namespace

absl::StatusOr<std::string> NewToken() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return OsError(errno, "draw", "random bytes");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : bytes) {
    token.push_back(kDigits[byte >> 4]);
    token.push_back(kDigits[byte & 15]);
  }
  return token;
}

std::vector<std::string> WithMark(std::vector<std::string> env, std::string_view token) {
  const std::string name = StrCat(kMarkName, "=");
  std::erase_if(env, [&](const std::string& entry) { return entry.starts_with(name); });
  env.push_back(MarkOf(token));
  return env;
}

bool HasMark(std::string_view environ, std::string_view token) {
  const std::string mark = MarkOf(token);
  while (!environ.empty()) {
    const std::string_view entry = environ.substr(0, environ.find('\0'));
    if (entry == mark) return !token.empty();
    environ.remove_prefix(std::min(entry.size() + 1, environ.size()));
  }
  return false;
}

namespace {

// The number that was given to the newest process: while it stays, none was started.
absl::StatusOr<std::string> NewestPid() {
  DET_ASSIGN_OR_RETURN(const std::string load, ReadFile("/proc/loadavg", kLoadMax));
  return load.substr(load.rfind(' ') + 1);
}

// One look, the newest processes first: those are the ones that may be gone at the end of it.
absl::StatusOr<std::vector<ProcessId>> LookForMarked(std::string_view token, int64_t since) {
  DET_ASSIGN_OR_RETURN(const std::vector<ProcessStat> all, AllProcesses());
  std::vector<ProcessId> found;
  for (auto process = all.rbegin(); process != all.rend(); ++process) {
    if (process->id.pid == ::getpid() || process->id.start_time < since) continue;
    if (process->ended() || !MayLookAt(process->id.pid)) continue;
    DET_ASSIGN_OR_RETURN(const bool carries, CarriesMark(process->id, token));
    if (carries) found.push_back(process->id);
  }
  return found;
}

}  // namespace

absl::StatusOr<std::vector<ProcessId>> FindMarked(std::string_view token, int64_t since) {
  for (int look = 1;; ++look) {
    DET_ASSIGN_OR_RETURN(const std::string before, NewestPid());
    DET_ASSIGN_OR_RETURN(std::vector<ProcessId> found, LookForMarked(token, since));
    DET_ASSIGN_OR_RETURN(const std::string after, NewestPid());
    // A process may hand on to a child behind the look's back, unless none was started meanwhile.
    if (!found.empty() || before == after || look == kLooksMax) return found;
  }
}

}  // namespace det::agent
