#include "agent/shim/shim.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>

#include "absl/time/clock.h"
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/shim/cgroup.h"
#include "agent/shim/supervisor.h"
#include "agent/task/task_files.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/lock_file.h"
#include "common/os/os_error.h"
#include "common/os/pause.h"
#include "common/os/process.h"
#include "common/os/signals.h"

namespace det::agent {
namespace {

constexpr int kWriteTries = 50;
constexpr absl::Duration kBetweenTries = absl::Milliseconds(100);
constexpr size_t kCgroupTokenDigits = 16;

// All that the shim holds while the task runs.
struct Post {
  explicit Post(const std::string& directory) : files(directory) {}

  TaskFiles files;
  std::unique_ptr<SignalWaiter> signals;
  std::unique_ptr<LockFile> lock;
  TaskOrder order;
  std::unique_ptr<ExitReserve> reserve;
  Cgroup cgroup;
  std::string why_no_cgroup;
};

void Complain(const absl::Status& status) {
  std::fprintf(stderr, "det-shim: %s\n", std::string(status.message()).c_str());
}

// The starter may have been killed; then nobody listens, which is fine.
void Answer(const ShimOptions& options, const absl::Status& status) {
  if (!status.ok()) Complain(status);
  if (!options.adopt) return;
  const ShimAnswer answer{.started = status.ok(),
                          .code = static_cast<int>(status.code()),
                          .reason = ErrorReason(status),
                          .message = std::string(status.message())};
  (void)WriteAll(kAnswerDescriptor, EncodeArchive(answer), "the answer");
  ::close(kAnswerDescriptor);
}

absl::Status StartedBefore(const std::string& directory) {
  return Error(absl::StatusCode::kAlreadyExists,
               "STARTED_BEFORE",
               StrCat("the task of ", directory, " was started before"));
}

absl::Status TakeLock(const ShimOptions& options, Post* post) {
  constexpr std::string_view kHolder = "det-shim";
  const std::string path = post->files.lock();
  absl::StatusOr<LockFile> lock = options.adopt
                                      ? LockFile::Adopt(UniqueFd(kLockDescriptor), path, kHolder)
                                      : LockFile::Acquire(path, kHolder);
  if (ErrorReason(lock.status()) == "LOCK_HELD") return StartedBefore(options.directory);
  if (!lock.ok()) return lock.status();
  post->lock = std::make_unique<LockFile>(*std::move(lock));
  return absl::OkStatus();
}

// With the lock held nobody else can start it, so this look is final.
absl::Status CheckNeverStarted(const TaskFiles& files) {
  for (const std::string& path : {files.shim(), files.exit()}) {
    if (::access(path.c_str(), F_OK) == 0) return StartedBefore(files.directory());
    if (errno != ENOENT) return OsError(errno, "look at", path);
  }
  return absl::OkStatus();
}

absl::Status BecomeReaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return OsError(errno, "become", "the reaper of the task's processes");
  }
  return absl::OkStatus();
}

void MakeCgroup(Post* post) {
  if (!post->order.spec.use_cgroup) return;
  const std::string name = StrCat("det-", post->order.token.substr(0, kCgroupTokenDigits));
  post->cgroup = Cgroup::Create(name, post->order.spec.processes_max, &post->why_no_cgroup);
}

// Up to the point from which on the program counts as started.
absl::Status TakeOver(const ShimOptions& options, Post* post) {
  // SIGPIPE too: the answer may have no reader.
  DET_ASSIGN_OR_RETURN(
      SignalWaiter signals,
      SignalWaiter::Block(
          {SIGTERM, SIGUSR1, SIGCHLD, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR2, SIGALRM}));
  post->signals = std::make_unique<SignalWaiter>(std::move(signals));
  DET_RETURN_IF_ERROR(TakeLock(options, post));
  DET_RETURN_IF_ERROR(CheckNeverStarted(post->files));
  DET_ASSIGN_OR_RETURN(post->order, post->files.ReadOrder());
  // The order may have been written under another name of the directory.
  post->order.spec.directory = options.directory;
  DET_RETURN_IF_ERROR(BecomeReaper());
  DET_ASSIGN_OR_RETURN(ProcessId self, ReadProcessId(::getpid()));
  DET_ASSIGN_OR_RETURN(ExitReserve reserve, ExitReserve::Take(post->files));
  post->reserve = std::make_unique<ExitReserve>(std::move(reserve));
  MakeCgroup(post);
  const absl::Status written =
      post->files.WriteShim({std::move(self), post->order.token, post->cgroup.directories()});
  if (!written.ok()) {
    post->cgroup.Remove();
    post->reserve->GiveUp();
  }
  return written;
}

absl::Status WriteExit(Post* post, Exit exit) {
  const ExitRecord record{std::move(exit), absl::Now()};
  absl::Status status;
  for (int i = 0; i < kWriteTries; ++i) {
    if (i > 0) PauseFor(kBetweenTries);
    status = post->reserve->Write(record);
    if (status.ok()) break;
  }
  return status;
}

}  // namespace

int RunShim(const ShimOptions& options) {
  Post post(options.directory);
  const absl::Status prepared = TakeOver(options, &post);
  Answer(options, prepared);
  if (absl::IsAlreadyExists(prepared)) return kStatusStartedBefore;
  if (!prepared.ok()) return kStatusFailed;
  Exit exit;
  {
    Supervisor supervisor(&post.order, &post.cgroup, post.signals.get());
    if (!post.why_no_cgroup.empty()) {
      supervisor.Say(StrCat("det: runs without a control group: ", post.why_no_cgroup));
    }
    exit = supervisor.Run();
  }
  post.cgroup.Remove();
  const absl::Status written = WriteExit(&post, std::move(exit));
  if (written.ok()) return kStatusDone;
  Complain(written);
  return kStatusFailed;
}

}  // namespace det::agent
