#include "common/pg/private_server.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/spawn.h"

namespace det::pg {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartPatience = absl::Minutes(10);  // crash recovery may take long
constexpr absl::Duration kStopPatience = absl::Seconds(20);
constexpr absl::Duration kStrayPatience = absl::Seconds(10);
constexpr absl::Duration kPoll = absl::Milliseconds(10);
constexpr absl::Duration kRestartPause = absl::Milliseconds(200);
// sun_path holds 108 bytes, and PostgreSQL adds "/.s.PGSQL.5432".
constexpr size_t kSocketDirectoryBytesMax = 90;
constexpr size_t kLogTailBytes = 2000;

absl::Status Failed(std::string_view reason, const std::string& what, std::string_view hint = "") {
  return Error(absl::StatusCode::kFailedPrecondition, reason, what, hint);
}

// The newest PostgreSQL of this machine.
absl::StatusOr<std::string> FindPrograms() {
  if (const char* chosen = std::getenv("DET_PG_BIN")) return std::string(chosen);
  std::string best;
  double best_version = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const double version = std::strtod(entry.path().filename().c_str(), nullptr);
    if (version > best_version && fs::exists(entry.path() / "bin" / "postgres", ignored)) {
      best = (entry.path() / "bin").string();
      best_version = version;
    }
  }
  if (!best.empty()) return best;
  return Failed("NO_POSTGRES",
                "PostgreSQL is not installed",
                "install the package postgresql, or name your own database with db.url");
}

std::optional<RunAs> UserFor(uid_t me) {
  if (me != 0) return std::nullopt;
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* user = getpwnam(name)) return RunAs{user->pw_uid, user->pw_gid};
  }
  return std::nullopt;
}

// Makes it ours, or the server's user's, if it is one's of these two already. A link is not
// followed, and what is changed is what was looked at: others may write where it lies.
absl::Status OwnDirectory(const std::string& path, const std::optional<RunAs>& user) {
  if (const fs::path parent = fs::path(path).parent_path(); !parent.empty())
    DET_RETURN_IF_ERROR(MakeDirs(parent.string(), 0711));
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return OsError(errno, "make", path);
  DET_ASSIGN_OR_RETURN(const UniqueFd directory,
                       OpenFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat info {};
  if (fstat(directory.get(), &info) != 0) return OsError(errno, "look at", path);
  const bool ours = info.st_uid == geteuid() || (user.has_value() && info.st_uid == user->uid);
  if (!ours)
    return Failed("FOREIGN_FOLDER", StrCat(path, " belongs to somebody else"), "remove it");
  if (user.has_value() && fchown(directory.get(), user->uid, user->gid) != 0) {
    return OsError(errno, "give away", path);
  }
  if (fchmod(directory.get(), 0700) != 0) return OsError(errno, "close", path);
  return absl::OkStatus();
}

// The server's user must be able to pass through every folder on the way.
absl::Status CheckReachable(const std::string& path, const std::optional<RunAs>& user) {
  if (!user.has_value()) return absl::OkStatus();
  for (fs::path at = fs::path(path).parent_path(); !at.empty(); at = at.parent_path()) {
    struct stat info {};
    if (stat(at.c_str(), &info) != 0) return OsError(errno, "look at", at.string());
    const mode_t needed = info.st_uid == user->uid   ? S_IXUSR
                          : info.st_gid == user->gid ? S_IXGRP
                                                     : S_IXOTH;
    if ((info.st_mode & needed) == 0) {
      return Failed(
          "UNREACHABLE",
          StrCat("PostgreSQL can't run as root, and its user may not enter ", at.string()),
          "choose a data directory elsewhere, such as /var/lib/det");
    }
    if (at == at.root_path()) break;
  }
  return absl::OkStatus();
}

std::string FirstLine(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, 4096);
  return text.ok() ? text->substr(0, text->find('\n')) : "";
}

// The PostgreSQL processes whose working directory is the data directory: a server and its
// backends. A shell that somebody left there is none of them.
std::vector<ProcessId> ProcessesIn(const std::string& data) {
  std::vector<ProcessId> found;
  const auto all = AllProcesses();
  if (!all.ok()) return found;
  for (const ProcessStat& process : *all) {
    std::error_code error;
    const fs::path cwd = fs::read_symlink(StrCat("/proc/", process.id.pid, "/cwd"), error);
    if (error || cwd != data || process.ended()) continue;
    if (FirstLine(StrCat("/proc/", process.id.pid, "/comm")) == "postgres")
      found.push_back(process.id);
  }
  return found;
}

bool WaitForNone(const std::string& data, absl::Duration patience) {
  const absl::Duration until = SteadyNow() + patience;
  while (!ProcessesIn(data).empty()) {
    if (SteadyNow() > until) return false;
    usleep(static_cast<useconds_t>(absl::ToInt64Microseconds(kPoll)));
  }
  return true;
}

// Ends what an earlier life left running, ever harder.
absl::Status EndStrays(const std::string& data) {
  for (const int signal : {SIGINT, SIGQUIT, SIGKILL}) {
    const std::vector<ProcessId> strays = ProcessesIn(data);
    if (strays.empty()) return absl::OkStatus();
    LogInfo("ending an earlier PostgreSQL",
            {{"processes", std::to_string(strays.size())}, {"signal", SignalName(signal)}});
    for (const ProcessId& stray : strays) Signal(stray, signal).IgnoreError();
    if (WaitForNone(data, kStrayPatience)) return absl::OkStatus();
  }
  return Error(absl::StatusCode::kUnavailable,
               "STRAY_POSTGRES",
               StrCat("processes of an earlier PostgreSQL in ", data, " can't be ended"));
}

}  // namespace

struct PrivateServer::Layout {
  Options options;
  std::string bin;
  std::optional<RunAs> user;
  std::string data;
  std::string marker;  // says that data was made; outside the folder, which may be a mount
  std::string sockets;
  std::string log;

  absl::Status Prepare();
  absl::Status FindPlaces();
  std::string Conninfo() const;
  absl::Status CheckVersion() const;
  absl::Status FindData(bool may_create) const;
  absl::Status CheckNeverMade() const;
  absl::Status InitDb() const;
  absl::Status RunToEnd(const std::vector<std::string>& argv) const;
  std::vector<std::string> ServerArguments() const;
  std::string LogTail() const;
};

absl::Status PrivateServer::Layout::Prepare() {
  DET_ASSIGN_OR_RETURN(bin, FindPrograms());
  user = UserFor(geteuid());
  if (geteuid() == 0 && !user.has_value())
    return Failed("NO_USER",
                  "PostgreSQL can't run as root, and there is no user postgres or nobody");
  DET_RETURN_IF_ERROR(OwnDirectory(options.directory, user));
  DET_RETURN_IF_ERROR(FindPlaces());
  DET_RETURN_IF_ERROR(CheckReachable(data, user));
  return OwnDirectory(sockets, user);
}

absl::Status PrivateServer::Layout::FindPlaces() {
  // As the server reports it in /proc.
  std::error_code error;
  const std::string directory = fs::canonical(options.directory, error).string();
  if (error) return OsError(error.value(), "find", options.directory);
  data = StrCat(directory, "/data");
  marker = StrCat(directory, ".initialized");
  log = StrCat(options.directory, "/log");
  sockets = StrCat(options.directory, "/run");
  if (sockets.size() > kSocketDirectoryBytesMax) {
    sockets = StrCat("/tmp/det-pg-", geteuid(), "-", absl::Hex(StableHash(data)));
  }
  return absl::OkStatus();
}

std::string PrivateServer::Layout::Conninfo() const {
  return StrCat("host='", sockets, "' dbname=postgres user=det connect_timeout=10");
}

absl::StatusOr<std::string> PrivateServer::ConninfoOf(const std::string& directory) {
  Layout layout;
  layout.options.directory = directory;
  DET_RETURN_IF_ERROR(layout.FindPlaces());
  return layout.Conninfo();
}

absl::Status PrivateServer::Layout::CheckVersion() const {
  const std::string has = FirstLine(StrCat(data, "/PG_VERSION"));
  const std::string runs = fs::path(bin).parent_path().filename().string();
  if (has == runs || runs.empty() || !std::isdigit(static_cast<unsigned char>(runs[0])))
    return absl::OkStatus();
  return Failed("OTHER_POSTGRES",
                StrCat(data, " was made by PostgreSQL ", has, ", this machine has ", runs),
                StrCat("install postgresql-", has, ", or bring the data over with pg_upgrade"));
}

absl::Status PrivateServer::Layout::RunToEnd(const std::vector<std::string>& argv) const {
  DET_ASSIGN_OR_RETURN(const UniqueFd out,
                       OpenFile(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
  DET_ASSIGN_OR_RETURN(const pid_t pid,
                       Spawn({.argv = argv,
                              .env = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"},
                              .cwd = "/",
                              .stdout_fd = out.get(),
                              .stderr_fd = out.get(),
                              .run_as = user}));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return Failed("POSTGRES_FAILED", StrCat(argv[0], " failed: ", LogTail()));
}

// In a folder that is renamed when it is whole: a half-made one never counts.
absl::Status PrivateServer::Layout::InitDb() const {
  const std::string fresh = StrCat(data, ".new");
  DET_RETURN_IF_ERROR(RemoveTree(fresh));
  std::vector<std::string> argv = {StrCat(bin, "/initdb"),
                                   "-D",
                                   fresh,
                                   "-U",
                                   "det",
                                   "-E",
                                   "UTF8",
                                   "--locale=C.UTF-8",
                                   "--auth-local=trust",
                                   "--auth-host=reject",
                                   "--data-checksums"};
  if (!options.durable) argv.emplace_back("--no-sync");
  DET_RETURN_IF_ERROR(RunToEnd(argv));
  if (rename(fresh.c_str(), data.c_str()) != 0) return OsError(errno, "rename", fresh);
  return SyncDirectory(ParentDirectory(data));
}

absl::Status PrivateServer::Layout::CheckNeverMade() const {
  struct stat info {};
  if (lstat(marker.c_str(), &info) == 0) {
    return Failed("DATA_GONE",
                  StrCat("the database in ", data, " is gone: it was made there, says ", marker),
                  StrCat("mount or restore ", data, ", or remove ", marker, " to begin anew"));
  }
  if (errno != ENOENT) return OsError(errno, "look for", marker);
  return absl::OkStatus();
}

// The marker is made after the data, and again where an older version made the data without one.
absl::Status PrivateServer::Layout::FindData(bool may_create) const {
  if (FirstLine(StrCat(data, "/PG_VERSION")).empty()) {
    DET_RETURN_IF_ERROR(CheckNeverMade());
    if (!may_create)
      return Failed("DATA_GONE", StrCat("there is no database in ", data), "mount or restore it");
    DET_RETURN_IF_ERROR(InitDb());
  }
  struct stat info {};
  if (lstat(marker.c_str(), &info) == 0) return absl::OkStatus();
  return AtomicWriteFile(marker, "The database beside this file was made.\n", 0644);
}

std::vector<std::string> PrivateServer::Layout::ServerArguments() const {
  std::vector<std::string> argv = {StrCat(bin, "/postgres"), "-D", data};
  const auto set = [&](const std::string& setting) {
    argv.emplace_back("-c");
    argv.push_back(setting);
  };
  set("listen_addresses=");
  set(StrCat("unix_socket_directories=", sockets));
  set("unix_socket_permissions=0700");
  set("max_connections=64");
  set("shared_buffers=128MB");
  set("max_wal_size=1GB");
  set("wal_compression=on");
  set("jit=off");
  set("log_destination=stderr");
  set("log_min_messages=warning");
  set("log_min_error_statement=panic");
  if (!options.durable) {
    set("fsync=off");
    set("full_page_writes=off");
    set("synchronous_commit=off");
  }
  return argv;
}

std::string PrivateServer::Layout::LogTail() const {
  const absl::StatusOr<std::string> text = ReadFile(log, 64 << 20);
  if (!text.ok()) return "";
  return text->size() > kLogTailBytes ? text->substr(text->size() - kLogTailBytes) : *text;
}

PrivateServer::PrivateServer(std::unique_ptr<Layout> layout, LockFile lock)
    : layout_(std::move(layout)), lock_(std::move(lock)) {
  conninfo_ = layout_->Conninfo();
}

absl::StatusOr<std::unique_ptr<PrivateServer>> PrivateServer::Start(Options options) {
  auto layout = std::make_unique<Layout>();
  layout->options = std::move(options);
  DET_RETURN_IF_ERROR(layout->Prepare());
  DET_ASSIGN_OR_RETURN(LockFile lock,
                       LockFile::Acquire(StrCat(layout->options.directory, "/lock"), "det-master"));
  std::unique_ptr<PrivateServer> server(new PrivateServer(std::move(layout), std::move(lock)));
  PrivateServer* self = server.get();
  server->thread_ = std::thread([self] { self->Supervise(); });
  MutexLock wait(server->mutex_);
  while (!server->started_) server->changed_.Wait(server->mutex_);
  DET_RETURN_IF_ERROR(server->first_start_);
  return server;
}

PrivateServer::~PrivateServer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void PrivateServer::Supervise() {
  bool may_create = layout_->options.create;
  absl::Status told;  // what lasts is said once, not at every attempt
  while (true) {
    const absl::Status status = StartOnce(std::exchange(may_create, false));
    if (absl::IsCancelled(status)) WaitForEnd();
    {
      MutexLock lock(mutex_);
      if (!started_) {
        started_ = true;
        first_start_ = status;
        changed_.NotifyAll();
        if (!status.ok()) return;
      }
    }
    if (!status.ok() && status != told)
      LogError("PostgreSQL does not start", {{"cause", std::string(status.message())}});
    told = status;
    if (WaitForEnd()) return;
    if (status.ok()) LogWarning("PostgreSQL ended and is started again");
  }
}

absl::Status PrivateServer::StartOnce(bool may_create) {
  DET_RETURN_IF_ERROR(EndStrays(layout_->data));
  DET_RETURN_IF_ERROR(layout_->FindData(may_create));
  DET_RETURN_IF_ERROR(layout_->CheckVersion());
  // Nothing of it runs, so whatever these say is stale.
  for (const std::string& stale : {StrCat(layout_->data, "/postmaster.pid"),
                                   StrCat(layout_->sockets, "/.s.PGSQL.5432.lock"),
                                   StrCat(layout_->sockets, "/.s.PGSQL.5432")}) {
    unlink(stale.c_str());
  }
  DET_ASSIGN_OR_RETURN(const UniqueFd out,
                       OpenFile(layout_->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
  DET_ASSIGN_OR_RETURN(const pid_t pid,
                       Spawn({.argv = layout_->ServerArguments(),
                              .env = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"},
                              .cwd = "/",
                              .stdout_fd = out.get(),
                              .stderr_fd = out.get(),
                              .new_session = true,
                              .parent_death_signal = SIGINT,
                              .run_as = layout_->user}));
  pid_ = pid;
  const absl::Duration until = SteadyNow() + kStartPatience;
  while (PQping(conninfo_.c_str()) != PQPING_OK) {
    if (waitpid(pid, nullptr, WNOHANG) == pid) {
      pid_ = 0;
      return Failed("POSTGRES_FAILED",
                    StrCat("PostgreSQL ended as it started: ", layout_->LogTail()));
    }
    if (SteadyNow() > until) return Failed("POSTGRES_SLOW", "PostgreSQL does not answer");
    if (IsStopping()) return absl::CancelledError("stopped while PostgreSQL started");
    usleep(static_cast<useconds_t>(absl::ToInt64Microseconds(kPoll)));
  }
  return absl::OkStatus();
}

// Also when the owner, who waits for the first start, is to end.
bool PrivateServer::IsStopping() {
  const bool stopped = layout_->options.stopped && layout_->options.stopped();
  MutexLock lock(mutex_);
  if (stopped && !started_) stopping_ = true;
  return stopping_;
}

// True when it is time to end: the server was stopped. False when it died and is wanted.
bool PrivateServer::WaitForEnd() {
  absl::Duration hurry = absl::InfiniteDuration();
  while (pid_ != 0) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      break;
    }
    MutexLock lock(mutex_);
    // Signals come from here alone: no other thread can have collected the process meanwhile.
    if (stopping_ && hurry == absl::InfiniteDuration()) {
      kill(pid_, SIGINT);  // write out, then end
      hurry = SteadyNow() + kStopPatience;
    }
    if (SteadyNow() > hurry) {
      kill(pid_, SIGQUIT);  // without writing out: the next start recovers from the log
      hurry = SteadyNow() + kStopPatience;
    }
    changed_.WaitFor(mutex_, kPoll);
  }
  MutexLock lock(mutex_);
  if (!stopping_) changed_.WaitFor(mutex_, kRestartPause);
  return stopping_;
}

}  // namespace det::pg
