#include "cli/upload/git_state.h"

#include <filesystem>
#include <string_view>

#include "absl/time/clock.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/base/files.h"
#include "common/base/strings.h"
#include "common/os/spawn.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRefBytesMax = 4096;
constexpr int64_t kPackedRefsBytesMax = 64 << 20;
constexpr int kRefHopsMax = 5;  // a ref may name another

std::string Line(const fs::path& path, int64_t bytes_max = kRefBytesMax) {
  const absl::StatusOr<std::string> text = ReadFile(path.string(), bytes_max);
  if (!text.ok()) return "";
  return text->substr(0, text->find_first_of("\r\n"));
}

// Where git keeps what is of this work tree, and what all work trees share.
struct GitFolders {
  fs::path own;
  fs::path shared;
};

std::optional<GitFolders> FindGit(const std::string& directory) {
  std::error_code error;
  fs::path at = fs::canonical(directory, error);
  if (error) return std::nullopt;
  while (true) {
    const fs::path git = at / ".git";
    if (fs::is_directory(git, error)) return GitFolders{git, git};
    if (fs::is_regular_file(git, error)) {
      // A linked work tree, or a submodule: "gitdir: PATH".
      constexpr std::string_view kKey = "gitdir: ";
      const std::string line = Line(git);
      if (!line.starts_with(kKey)) return std::nullopt;
      const fs::path own = at / line.substr(kKey.size());
      const std::string common = Line(own / "commondir");
      return GitFolders{own, common.empty() ? own : own / common};
    }
    if (at == at.parent_path()) return std::nullopt;
    at = at.parent_path();
  }
}

bool IsCommit(const std::string& text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string PackedRef(const GitFolders& git, const std::string& ref) {
  const absl::StatusOr<std::string> text =
      ReadFile((git.shared / "packed-refs").string(), kPackedRefsBytesMax);
  if (!text.ok()) return "";
  const std::string wanted = StrCat(" ", ref, "\n");
  for (size_t at = text->find(wanted); at != std::string::npos; at = text->find(wanted, at + 1)) {
    const size_t start = text->rfind('\n', at) + 1;  // npos + 1 is 0: the first line
    if (IsCommit(text->substr(start, at - start))) return text->substr(start, at - start);
  }
  return "";
}

std::string Resolve(const GitFolders& git, std::string ref) {
  constexpr std::string_view kKey = "ref: ";
  for (int hop = 0; hop < kRefHopsMax; ++hop) {
    // Whoever wrote it: a ref stays below refs/.
    if (!ref.starts_with("refs/") || ref.find("..") != std::string::npos) return "";
    std::string text = Line(git.own / ref);
    if (text.empty()) text = Line(git.shared / ref);
    if (text.empty()) return PackedRef(git, ref);
    if (IsCommit(text)) return text;
    if (!text.starts_with(kKey)) return "";
    ref = text.substr(kKey.size());
  }
  return "";
}

// Kills the program and waits for it, when it goes.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    Wait();
  }
  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

// Reads until the pipe ends, something came, or the time is up: nothing is "clean".
enum class Said { kNothing, kSomething, kTimeUp };
Said Listen(const Fd& pipe, absl::Time until) {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(until - absl::Now());
    pollfd wanted = {pipe.get(), POLLIN, 0};
    const int ready = left <= 0 ? 0 : poll(&wanted, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Said::kTimeUp;
    char byte = 0;
    const ssize_t got = read(pipe.get(), &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    return got == 0 ? Said::kNothing : Said::kSomething;
  }
}

bool IsDirty(const std::string& directory, const std::string& path, absl::Duration patience) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return true;
  const Fd from(ends[0]);
  Fd to(ends[1]);
  SpawnOptions options;
  options.argv = {"git", "--no-optional-locks", "status", "--porcelain", "--", "."};
  // What the user set for git elsewhere must not lead it to another repository.
  options.env = {StrCat("PATH=", path), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0"};
  options.cwd = directory;
  options.stdout_fd = to.get();
  options.new_session = true;
  const absl::StatusOr<pid_t> pid = Spawn(options);
  if (!pid.ok()) return true;
  Child child(*pid);
  to = Fd();
  if (Listen(from, absl::Now() + patience) != Said::kNothing) return true;
  const int status = child.Wait();
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

}  // namespace

std::optional<GitState> ReadGitState(const std::string& directory,
                                     const std::string& path,
                                     absl::Duration patience) {
  const std::optional<GitFolders> git = FindGit(directory);
  if (!git.has_value()) return std::nullopt;
  constexpr std::string_view kKey = "ref: ";
  constexpr std::string_view kHeads = "refs/heads/";
  GitState state;
  const std::string head = Line(git->own / "HEAD");
  if (head.starts_with(kKey)) {
    const std::string ref = head.substr(kKey.size());
    if (ref.starts_with(kHeads)) state.branch = ref.substr(kHeads.size());
    state.commit = Resolve(*git, ref);
  } else {
    state.commit = head;
  }
  if (!IsCommit(state.commit)) return std::nullopt;
  state.dirty = IsDirty(directory, path, patience);
  return state;
}

}  // namespace det::cli
