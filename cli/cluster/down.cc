#include "cli/cluster/down.h"

#include <charconv>
#include <filesystem>

#include <sys/stat.h>

#include "agent/config/agent_config.h"
#include "cli/app/context.h"
#include "cli/cluster/daemon.h"
#include "cli/cluster/tasks.h"
#include "cli/cluster/up_lock.h"
#include "cli/cluster/wait.h"
#include "cli/format/quantity.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::cli {
namespace {

constexpr absl::Duration kAgentPatience = absl::Seconds(15);
constexpr absl::Duration kTaskPatience = absl::Seconds(10);
// It writes out what is decided, and its PostgreSQL a checkpoint.
constexpr absl::Duration kMasterPatience = absl::Minutes(1);
constexpr absl::Duration kPostgresPatience = absl::Seconds(30);

absl::StatusOr<bool> Exists(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return OsError(errno, "look at", path);
}

// A configuration that can't be read has no agent of ours elsewhere.
std::string AgentData(const Layout& layout) {
  const auto config = agent::LoadAgentConfig(layout.agent_config());
  return config.ok() ? config->data_dir : layout.agent_data();
}

class Stopper {
 public:
  Stopper(Context& context, Layout layout) : context_(context), layout_(std::move(layout)) {}

  absl::StatusOr<DownResult> Run() {
    result_.data_dir = layout_.data();
    DET_ASSIGN_OR_RETURN(const bool there, Exists(layout_.data()));
    if (!there) return result_;
    DET_ASSIGN_OR_RETURN(const LockFile turn, TakeTurn(context_, layout_));
    const std::string agent_data = AgentData(layout_);
    // In this order: an agent that is gone reports nothing about the tasks that are ended here, and
    // starts no others in their place.
    DET_ASSIGN_OR_RETURN(result_.agent, Stop(AgentDaemon(layout_, agent_data), kAgentPatience));
    DET_RETURN_IF_ERROR(StopTasks(agent_data));
    DET_ASSIGN_OR_RETURN(result_.master, Stop(MasterDaemon(layout_), kMasterPatience));
    DET_RETURN_IF_ERROR(AwaitPostgres());
    return result_;
  }

 private:
  absl::StatusOr<bool> Stop(const Daemon& daemon, absl::Duration patience) {
    DET_ASSIGN_OR_RETURN(const std::optional<ProcessId> running, FindDaemon(daemon));
    if (!running.has_value()) return false;
    WaitLine line(context_, StrCat("stopping ", daemon.program));
    line.Show();
    DET_ASSIGN_OR_RETURN(const bool killed, StopDaemon(daemon, *running, patience));
    if (killed) {
      context_.Warn(StrCat(daemon.program,
                           " did not end within ",
                           absl::FormatDuration(patience),
                           " and was killed; nothing that was acknowledged is lost"));
    }
    return true;
  }

  absl::Status StopTasks(const std::string& agent_data) {
    WaitLine line(context_, "ending tasks");
    line.Show();
    DET_ASSIGN_OR_RETURN(const EndedTasks tasks, EndTasks(agent_data, kTaskPatience));
    result_.tasks = tasks.ended;
    if (tasks.killed > 0) {
      context_.Warn(StrCat(Count(tasks.killed, "task"),
                           " did not end within ",
                           absl::FormatDuration(kTaskPatience),
                           " and had to be killed"));
    }
    return absl::OkStatus();
  }

  // It ends with its master, however that ended, but perhaps a moment later.
  absl::Status AwaitPostgres() {
    const absl::StatusOr<std::string> text = det::ReadFile(layout_.postgres_pid(), 4096);
    if (!text.ok()) return absl::OkStatus();
    pid_t pid = 0;
    std::from_chars(text->data(), text->data() + text->size(), pid);
    const absl::StatusOr<ProcessId> id = ReadProcessId(pid);
    // The file may be left by a crash and name anybody by now: ours works in its data directory.
    std::error_code error;
    const std::filesystem::path cwd =
        std::filesystem::read_symlink(StrCat("/proc/", pid, "/cwd"), error);
    const bool ours =
        !error && std::filesystem::equivalent(cwd, ParentDirectory(layout_.postgres_pid()), error);
    if (!id.ok() || !ours) return absl::OkStatus();
    const absl::StatusOr<UniqueFd> process = OpenProcess(*id);
    if (!process.ok()) return absl::OkStatus();
    WaitLine line(context_, "waiting for PostgreSQL");
    line.Show();
    DET_ASSIGN_OR_RETURN(const bool ended, WaitForEnd(*process, kPostgresPatience));
    if (ended) return absl::OkStatus();
    return Error(absl::StatusCode::kDeadlineExceeded,
                 "DOES_NOT_END",
                 StrCat("PostgreSQL (pid ",
                        pid,
                        ") did not end within ",
                        absl::FormatDuration(kPostgresPatience)),
                 StrCat("its log is in ", layout_.master_data(), "/postgres; try det down again"));
  }

  Context& context_;
  const Layout layout_;
  DownResult result_;
};

}  // namespace

absl::StatusOr<DownResult> Down(Context& context, const std::string& data_dir) {
  DET_ASSIGN_OR_RETURN(Layout layout, FindLayout(data_dir, context.getenv()));
  absl::StatusOr<DownResult> result = Stopper(context, std::move(layout)).Run();
  if (!result.ok()) return ExplainPlace(result.status());
  return result;
}

}  // namespace det::cli
