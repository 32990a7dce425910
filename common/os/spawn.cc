#include "common/os/spawn.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/pipe.h"
#include "common/os/unique_fd.h"

namespace det {
namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum class Step : int32_t {
  kPid,
  kDescriptors,
  kSession,
  kParent,
  kCgroup,
  kUser,
  kChdir,
  kFork,
  kExec
};

// What the child tells through the pipe; closing the pipe by exec without an error is success.
struct Report {
  Step step;
  int32_t value;      // an errno, or the pid
  int32_t candidate;  // which program, with kExec
};

// Everything that the child needs, laid out before fork: between fork and exec nothing may be
// allocated or locked, since another thread may have held the lock in question.
struct Plan {
  std::vector<std::string> programs;  // tried in order
  std::vector<const char*> program_pointers;
  std::vector<char*> argv;
  std::vector<char*> env;
  const char* cwd = nullptr;
  std::vector<int> sources;  // sources[i] becomes descriptor i
  std::vector<int> moved;    // scratch
  const int* cgroup_fds = nullptr;
  size_t cgroup_count = 0;
  bool new_session = false;
  bool detach = false;
  int parent_death_signal = 0;
  const RunAs* run_as = nullptr;
  int64_t parent = 0;
  int report_fd = -1;
  unsigned descriptors_max = 1024;
};

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string_view PathOf(const std::vector<std::string>& env) {
  constexpr std::string_view kName = "PATH=";
  for (const std::string& entry : env) {
    if (entry.starts_with(kName)) return std::string_view(entry).substr(kName.size());
  }
  return kDefaultPath;
}

std::vector<std::string> Candidates(const std::string& program, std::string_view path) {
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> all;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string_view directory = path.substr(begin, end - begin);
    // An empty part means the working directory.
    all.push_back(StrCat(directory.empty() ? std::string_view(".") : directory, "/", program));
    begin = end + 1;
  }
  return all;
}

// --- The child. Raw system calls only, up to the end of this part. ---

template <class... Args>
int64_t Raw(int64_t number, Args... args) {
  return ::syscall(number, args...);
}

void Tell(const Plan& plan, Report report) {
  while (Raw(SYS_write, plan.report_fd, &report, sizeof(report)) < 0 && errno == EINTR) {
  }
}

[[noreturn]] void Fail(const Plan& plan, Step step, int32_t candidate = 0) {
  Tell(plan, {step, errno, candidate});
  Raw(SYS_exit_group, 127);
  __builtin_unreachable();
}

void ResetSignals() {
  // struct kernel_sigaction, all zero: the default action.
  struct KernelAction {
    uintptr_t handler = 0;
    uint64_t flags = 0;
    uintptr_t restorer = 0;
    uint64_t mask = 0;
  };
  const KernelAction action;
  constexpr int kSignals = 64;
  for (int signal = 1; signal <= kSignals; ++signal) {
    Raw(SYS_rt_sigaction, signal, &action, nullptr, sizeof(action.mask));
  }
  const uint64_t none = 0;
  Raw(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
}

void CloseRange(const Plan& plan, unsigned first, unsigned last) {
  if (first > last || Raw(SYS_close_range, first, last, 0) == 0) return;
  for (unsigned fd = first; fd <= std::min(last, plan.descriptors_max); ++fd) Raw(SYS_close, fd);
}

// First out of the way of the targets, then onto them. The pipe comes last and closes itself.
void ArrangeDescriptors(Plan& plan) {
  const int count = static_cast<int>(plan.sources.size());
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    const int64_t fd = Raw(SYS_fcntl, plan.sources[i], F_DUPFD_CLOEXEC, count + 1);
    if (fd < 0) Fail(plan, Step::kDescriptors);
    plan.moved[i] = static_cast<int>(fd);
  }
  const int64_t pipe = Raw(SYS_fcntl, plan.report_fd, F_DUPFD_CLOEXEC, count + 1);
  if (pipe < 0) Fail(plan, Step::kDescriptors);
  plan.report_fd = static_cast<int>(pipe);
  for (int i = 0; i < count; ++i) {
    if (Raw(SYS_dup3, plan.moved[static_cast<size_t>(i)], i, 0) < 0) {
      Fail(plan, Step::kDescriptors);
    }
  }
  const auto kept = static_cast<unsigned>(plan.report_fd);
  CloseRange(plan, static_cast<unsigned>(count), kept - 1);
  CloseRange(plan, kept + 1, ~0U);
}

void JoinCgroups(const Plan& plan) {
  for (size_t i = 0; i < plan.cgroup_count; ++i) {
    if (Raw(SYS_write, plan.cgroup_fds[i], "0", 1) != 1) Fail(plan, Step::kCgroup);
  }
}

void BindToParent(const Plan& plan) {
  if (plan.parent_death_signal == 0) return;
  if (Raw(SYS_prctl, PR_SET_PDEATHSIG, plan.parent_death_signal, 0, 0, 0) != 0) {
    Fail(plan, Step::kParent);
  }
  // The parent may have died before the call: then no signal will come.
  if (Raw(SYS_getppid) != plan.parent) Raw(SYS_exit_group, 127);
}

void BecomeUser(const Plan& plan) {
  if (plan.run_as == nullptr) return;
  const gid_t gid = plan.run_as->gid;
  const uid_t uid = plan.run_as->uid;
  if (Raw(SYS_setgroups, 0, nullptr) != 0 || Raw(SYS_setresgid, gid, gid, gid) != 0 ||
      Raw(SYS_setresuid, uid, uid, uid) != 0) {
    Fail(plan, Step::kUser);
  }
}

// A second fork, so that the parent ends at once and init takes over.
void Detach(const Plan& plan) {
  if (!plan.detach) return;
  const int64_t pid = Raw(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) Fail(plan, Step::kFork);
  if (pid > 0) {
    Tell(plan, {Step::kPid, static_cast<int32_t>(pid), 0});
    Raw(SYS_exit_group, 0);
  }
}

[[noreturn]] void Exec(const Plan& plan) {
  // As execvp: a file that may not be run does not hide a later one that may.
  int worst = ENOENT;
  int32_t worst_candidate = 0;
  for (size_t i = 0; plan.program_pointers[i] != nullptr; ++i) {
    Raw(SYS_execve, plan.program_pointers[i], plan.argv.data(), plan.env.data());
    const bool absent = errno == ENOENT || errno == ENOTDIR || errno == EACCES;
    if (!absent || errno == EACCES || i == 0) {
      worst = errno;
      worst_candidate = static_cast<int32_t>(i);
    }
    if (!absent) break;
  }
  errno = worst;
  Fail(plan, Step::kExec, worst_candidate);
}

[[noreturn]] void RunChild(Plan& plan) {
  ResetSignals();
  if (plan.new_session && Raw(SYS_setsid) < 0) Fail(plan, Step::kSession);
  Detach(plan);
  JoinCgroups(plan);
  BecomeUser(plan);
  // After the change of user, which takes the signal back.
  BindToParent(plan);
  ArrangeDescriptors(plan);
  if (plan.cwd != nullptr && Raw(SYS_chdir, plan.cwd) != 0) Fail(plan, Step::kChdir);
  Exec(plan);
}

// --- The parent again. ---

absl::StatusOr<Plan> MakePlan(const SpawnOptions& options, int null_fd, int report_fd) {
  if (options.argv.empty() || options.argv.front().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "NO_PROGRAM", "there is no program to run");
  }
  DET_RETURN_IF_ERROR(CheckStrings(options.argv, "argument"));
  DET_RETURN_IF_ERROR(CheckStrings(options.env, "environment variable"));
  Plan plan;
  plan.programs = Candidates(options.argv.front(), PathOf(options.env));
  for (const std::string& program : plan.programs) {
    plan.program_pointers.push_back(program.c_str());
  }
  plan.program_pointers.push_back(nullptr);
  plan.argv = Pointers(options.argv);
  plan.env = Pointers(options.env);
  if (!options.cwd.empty()) plan.cwd = options.cwd.c_str();
  for (const int fd : {options.stdin_fd, options.stdout_fd, options.stderr_fd}) {
    plan.sources.push_back(fd < 0 ? null_fd : fd);
  }
  plan.sources.insert(plan.sources.end(), options.pass_fds.begin(), options.pass_fds.end());
  plan.moved.resize(plan.sources.size());
  plan.cgroup_fds = options.cgroup_fds.data();
  plan.cgroup_count = options.cgroup_fds.size();
  plan.new_session = options.new_session;
  plan.detach = options.detach;
  plan.parent_death_signal = options.detach ? 0 : options.parent_death_signal;
  plan.run_as = options.run_as.has_value() ? &*options.run_as : nullptr;
  plan.parent = ::getpid();
  plan.report_fd = report_fd;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    plan.descriptors_max = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 1U << 20));
  }
  return plan;
}

// The program as seen from its working directory.
std::string FromHere(const std::string& program, const SpawnOptions& options) {
  if (program.starts_with('/') || options.cwd.empty()) return program;
  return StrCat(options.cwd, "/", program);
}

std::string InterpreterOf(const std::string& path) {
  const absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY);
  std::array<char, 256> head{};
  if (!fd.ok()) return "";
  const ssize_t got = ::read(fd->get(), head.data(), head.size());
  std::string_view line(head.data(), got > 0 ? static_cast<size_t>(got) : 0);
  if (!line.starts_with("#!")) return "";
  line = line.substr(2, line.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

absl::Status NoInterpreter(const std::string& name, const std::string& path) {
  const std::string interpreter = InterpreterOf(path);
  const std::string why =
      interpreter.empty() ? std::string("the loader that it needs does not exist")
                          : StrCat("its interpreter ", interpreter, " (first line) does not exist");
  return Error(absl::StatusCode::kFailedPrecondition,
               "PROGRAM_NO_INTERPRETER",
               StrCat("cannot run ", name, ": ", why),
               "lines that end in \\r\\n have this effect too");
}

absl::Status NotFound(const SpawnOptions& options, const Plan& plan) {
  const std::string& name = options.argv.front();
  for (const std::string& program : plan.programs) {
    const std::string path = FromHere(program, options);
    if (::access(path.c_str(), F_OK) == 0) return NoInterpreter(name, path);
  }
  const bool by_path = name.find('/') == std::string::npos;
  return Error(absl::StatusCode::kNotFound,
               "PROGRAM_NOT_FOUND",
               StrCat("cannot run ",
                      name,
                      by_path ? ": it is in no directory of PATH" : ": there is no such file"));
}

absl::Status NotExecutable(const std::string& name, const std::string& path) {
  struct stat info {};
  const bool seen = ::stat(path.c_str(), &info) == 0;
  const bool directory = seen && S_ISDIR(info.st_mode);
  const std::string_view why = !seen       ? "a directory on the way to it may not be entered"
                               : directory ? "it is a directory"
                                           : "it is not executable";
  return Error(absl::StatusCode::kPermissionDenied,
               "PROGRAM_NOT_EXECUTABLE",
               StrCat("cannot run ", name, ": ", why),
               seen && !directory ? "chmod +x it, or name its interpreter before it" : "");
}

absl::Status ExecError(const SpawnOptions& options, const Plan& plan, const Report& report) {
  const std::string& name = options.argv.front();
  switch (report.value) {
    case ENOENT:
    case ENOTDIR:
      return NotFound(options, plan);
    case EACCES:
      return NotExecutable(name,
                           FromHere(plan.programs[static_cast<size_t>(report.candidate)], options));
    case ENOEXEC:
      return Error(
          absl::StatusCode::kFailedPrecondition,
          "PROGRAM_BAD_FORMAT",
          StrCat("cannot run ",
                 name,
                 ": it is neither a program for this machine nor a script with a #! line"));
    case E2BIG:
      return Error(absl::StatusCode::kInvalidArgument,
                   "ARGUMENTS_TOO_LARGE",
                   StrCat("cannot run ", name, ": its arguments and environment are too large"));
    default:
      return OsError(report.value, "run", name);
  }
}

absl::Status Explain(const SpawnOptions& options, const Plan& plan, const Report& report) {
  const std::string& name = options.argv.front();
  switch (report.step) {
    case Step::kExec:
      return ExecError(options, plan, report);
    case Step::kChdir: {
      const absl::Status status = OsError(report.value, "enter the working directory", options.cwd);
      return Error(status.code(), "WORKDIR_UNUSABLE", FromAbsl(status.message()));
    }
    case Step::kCgroup: {
      const absl::Status status = OsError(report.value, "enter the control group for", name);
      return Error(status.code(), "CGROUP_UNUSABLE", FromAbsl(status.message()));
    }
    default:
      return OsError(report.value, "prepare to run", name);
  }
}

absl::Status ReadReports(int fd, std::vector<Report>* reports) {
  for (;;) {
    Report report{};
    const ssize_t got = ::read(fd, &report, sizeof(report));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return OsError(errno, "read from", "a new process");
    if (got != sizeof(report)) return absl::OkStatus();
    reports->push_back(report);
  }
}

// All signals wait while the child still shares the caller's handlers.
class SignalBlock {
 public:
  SignalBlock() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalBlock() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_{};
};

pid_t Fork(Plan& plan) {
  const SignalBlock block;
  const pid_t pid = ::fork();
  if (pid == 0) RunChild(plan);
  return pid;
}

void Collect(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

absl::Status CheckStrings(const std::vector<std::string>& strings, std::string_view what) {
  for (const std::string& text : strings) {
    if (text.find('\0') == std::string::npos) continue;
    return Error(absl::StatusCode::kInvalidArgument,
                 "EMBEDDED_NUL",
                 StrCat("an ", what, " holds a NUL byte: ", text.c_str()));
  }
  return absl::OkStatus();
}

absl::StatusOr<pid_t> Spawn(const SpawnOptions& options) {
  DET_ASSIGN_OR_RETURN(const UniqueFd null, OpenFile("/dev/null", O_RDWR));
  DET_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  DET_ASSIGN_OR_RETURN(Plan plan, MakePlan(options, null.get(), pipe.writer.get()));
  pid_t pid = Fork(plan);
  if (pid < 0) return OsError(errno, "fork for", options.argv.front());
  pipe.writer.Reset();
  std::vector<Report> reports;
  const absl::Status read = ReadReports(pipe.reader.get(), &reports);
  if (options.detach) Collect(pid);
  DET_RETURN_IF_ERROR(read);
  for (const Report& report : reports) {
    if (report.step == Step::kPid) {
      pid = report.value;
      continue;
    }
    if (!options.detach) Collect(pid);
    return Explain(options, plan, report);
  }
  return pid;
}

}  // namespace det
