#include "agent/shim/supervisor.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>

#include "agent/task/mark.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/os_error.h"
#include "common/os/pipe.h"
#include "common/os/process.h"
#include "common/os/spawn.h"

namespace det::agent {
namespace {

using spool::LogSource;

constexpr size_t kChunk = size_t{256} << 10;
// Read at a time before signals are looked at again.
constexpr int kChunksAtATime = 4;
// A larger pipe lets a program that prints in bursts go on.
constexpr int kPipeBytes = 1 << 20;
// After the main program: for what it printed, and for what it left behind to end by itself.
constexpr absl::Duration kDrainTime = absl::Seconds(1);
constexpr absl::Duration kLeftoverGrace = absl::Seconds(2);
constexpr absl::Duration kFirstKillTick = absl::Milliseconds(1);
constexpr absl::Duration kLastKillTick = absl::Milliseconds(50);
// What may not be killed (another user's) is given up after so long, what does not end is told of.
constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr int kShellKilled = 128 + SIGKILL;

absl::StatusOr<Pipe> MakeOutputPipe() {
  DET_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  const int reader = pipe.reader.get();
  // Of the reader alone: the program's end must block when the pipe is full.
  if (::fcntl(reader, F_SETFL, O_NONBLOCK) != 0) return OsError(errno, "set up", "a pipe");
  // As much as the limits allow.
  for (int bytes = kPipeBytes; ::fcntl(reader, F_SETPIPE_SZ, bytes) < 0 && bytes > 4096;) {
    bytes /= 2;
  }
  return pipe;
}

}  // namespace

Supervisor::Supervisor(const TaskOrder* order, Cgroup* cgroup, const SignalWaiter* signals)
    : order_(*order),
      cgroup_(*cgroup),
      signals_(*signals),
      log_(TaskFiles(order->spec.directory).log(), order->spec.log_bytes_max, &clock_),
      tree_(cgroup),
      streams_{Stream{UniqueFd(), LogSource::kStdout}, Stream{UniqueFd(), LogSource::kStderr}},
      buffer_(kChunk, '\0') {}

Exit Supervisor::Run() {
  const absl::Status started = Start();
  if (!started.ok()) {
    Exit exit{.kind = ExitKind::kStartFailed, .text = std::string(FromAbsl(started.message()))};
    log_.Say(exit.text);
    if (const std::string hint = ErrorHint(started); !hint.empty()) log_.Say(hint);
    log_.Finish();
    return exit;
  }
  Loop();
  ReadRest();
  Exit exit = Describe();
  if (!exit.text.empty()) log_.Say(exit.text);
  log_.Finish();
  if (const int64_t untold = log_.untold(); untold > 0) {
    StrAppend(exit.text,
              exit.text.empty() ? "" : "; ",
              "up to ",
              untold,
              " of its last lines are lost: there was no room on the disk");
  }
  return exit;
}

absl::Status Supervisor::Start() {
  std::array<UniqueFd, 2> writers;
  for (size_t i = 0; i < writers.size(); ++i) {
    DET_ASSIGN_OR_RETURN(Pipe pipe, MakeOutputPipe());
    streams_[i].fd = std::move(pipe.reader);
    writers[i] = std::move(pipe.writer);
  }
  host_oom_kills_ = HostOomKills();
  absl::Status status = SpawnMain(writers);
  if (ErrorReason(status) == "CGROUP_UNUSABLE") {
    log_.Say(StrCat("det: goes on without a control group: ", status.message()));
    cgroup_.Remove();
    cgroup_ = Cgroup();
    status = SpawnMain(writers);
  }
  return status;
}

absl::Status Supervisor::SpawnMain(const std::array<UniqueFd, 2>& writers) {
  const TaskSpec& spec = order_.spec;
  SpawnOptions options{.argv = spec.argv,
                       .env = WithMark(spec.env, order_.token),
                       .cwd = spec.workdir.empty() ? spec.directory : spec.workdir,
                       .stdout_fd = writers[0].get(),
                       .stderr_fd = writers[1].get(),
                       .new_session = true,
                       .parent_death_signal = SIGKILL};
  absl::StatusOr<std::vector<UniqueFd>> groups = cgroup_.OpenToJoin();
  if (!groups.ok()) {
    return Error(groups.status().code(), "CGROUP_UNUSABLE", FromAbsl(groups.status().message()));
  }
  for (const UniqueFd& fd : *groups) options.cgroup_fds.push_back(fd.get());
  DET_ASSIGN_OR_RETURN(const pid_t pid, Spawn(options));
  tree_.SetMain(pid);
  return absl::OkStatus();
}

void Supervisor::Loop() {
  while (stage_ != Stage::kDone) {
    Wait();
    HandleSignals();
    ReadStreams(kChunksAtATime);
    tree_.Collect();
    Advance();
    log_.FlushIfDue();
  }
}

absl::Duration Supervisor::NextDeadline() const {
  absl::Duration next = stage_ends_;
  if (log_.waiting()) next = std::min(next, SteadyNow() + TaskLog::kFlushInterval);
  if (stage_ == Stage::kKilling) next = std::min(next, SteadyNow() + kill_tick_);
  return next;
}

void Supervisor::Wait() {
  std::array<pollfd, 3> items = {pollfd{.fd = signals_.fd(), .events = POLLIN},
                                 pollfd{.fd = streams_[0].fd.get(), .events = POLLIN},
                                 pollfd{.fd = streams_[1].fd.get(), .events = POLLIN}};
  const absl::Duration left = NextDeadline() - SteadyNow();
  constexpr absl::Duration kLongest = absl::Hours(1);
  const absl::Duration wait = std::clamp(left, absl::ZeroDuration(), kLongest);
  const absl::Duration rounded = absl::Ceil(wait, absl::Milliseconds(1));
  (void)::poll(items.data(), items.size(), static_cast<int>(absl::ToInt64Milliseconds(rounded)));
}

void Supervisor::HandleSignals() {
  for (;;) {
    const absl::StatusOr<int> signal = signals_.Wait(absl::ZeroDuration());
    if (!signal.ok() || *signal == 0) return;
    if (*signal == SIGUSR1) kill_ordered_ = true;
    if (*signal != SIGTERM || terminate_ordered_) continue;
    terminate_ordered_ = true;
    if (stage_ != Stage::kRunning) continue;
    tree_.Terminate();
    stage_ends_ = SteadyNow() + order_.spec.grace;
  }
}

// Up to so many chunks of each stream.
void Supervisor::ReadStreams(int chunks) {
  for (Stream& stream : streams_) {
    for (int i = 0; i < chunks && ReadChunk(stream); ++i) {
    }
  }
}

// False when there is nothing to read just now.
bool Supervisor::ReadChunk(Stream& stream) {
  if (!stream.fd.valid()) return false;
  const ssize_t got = ::read(stream.fd.get(), buffer_.data(), buffer_.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    stream.fd.Reset();
    log_.End(stream.source);
    return false;
  }
  log_.Print(stream.source, std::string_view(buffer_).substr(0, static_cast<size_t>(got)));
  return true;
}

bool Supervisor::StreamsEnded() const {
  return std::none_of(
      streams_.begin(), streams_.end(), [](const Stream& stream) { return stream.fd.valid(); });
}

void Supervisor::SetStage(Stage stage, absl::Duration time_left) {
  stage_ = stage;
  stage_ends_ = SteadyNow() + time_left;
  if (stage != Stage::kKilling) return;
  killing_since_ = SteadyNow();
  kill_tick_ = kFirstKillTick;
}

void Supervisor::Advance() {
  const bool ended = tree_.main_end().has_value();
  if (stage_ == Stage::kRunning && ended) SetStage(Stage::kDraining, kDrainTime);
  if (ended && tree_.Empty()) {
    SetStage(Stage::kDone, absl::ZeroDuration());
    return;
  }
  if (stage_ == Stage::kKilling) {
    KillRound();
    return;
  }
  const bool time_over = SteadyNow() >= stage_ends_;
  if (kill_ordered_ || (time_over && stage_ != Stage::kDraining)) {
    grace_over_ = !kill_ordered_ && stage_ == Stage::kRunning;
    killed_main_ = !ended;
    SetStage(Stage::kKilling, absl::InfiniteDuration());
    KillRound();
    return;
  }
  // What the program started and left behind may still print; for a short time that is waited for,
  // unless nothing more can come.
  if (stage_ == Stage::kDraining && (time_over || StreamsEnded())) {
    tree_.Terminate();
    SetStage(Stage::kTerminating, kLeftoverGrace);
  }
}

void Supervisor::KillRound() {
  const KillCount count = tree_.Kill();
  kill_tick_ = std::min(kill_tick_ * 2, kLastKillTick);
  const absl::Duration now = SteadyNow();
  const bool only_refused = count.alive > 0 && count.alive == count.refused;
  if (!only_refused) refused_since_.reset();
  if (only_refused && !refused_since_.has_value()) refused_since_ = now;
  if (only_refused && now - *refused_since_ >= kPatience && tree_.main_end().has_value()) {
    survivors_ = StrCat(count.refused, " processes of another user could not be killed");
    SetStage(Stage::kDone, absl::ZeroDuration());
    return;
  }
  if (count.alive > 0 && !told_of_survivors_ && now - killing_since_ >= kPatience) {
    told_of_survivors_ = true;
    log_.Say(StrCat(count.alive,
                    " processes were killed but do not end: the kernel may be waiting for a disk "
                    "or a device"));
  }
}

// Whatever lies in the pipes. Somebody outside the tree may hold them open and go on printing, so
// there is an end to it.
void Supervisor::ReadRest() {
  const absl::Duration deadline = SteadyNow() + kDrainTime;
  for (Stream& stream : streams_) {
    while (ReadChunk(stream) && SteadyNow() < deadline) {
    }
    if (stream.fd.valid()) log_.End(stream.source);
    stream.fd.Reset();
  }
}

Exit Supervisor::Describe() const {
  const Tree::End end = tree_.main_end().value_or(Tree::End{});
  Exit exit;
  if (end.by_signal) {
    exit.kind = ExitKind::kSignaled;
    exit.signal = end.code;
    DescribeSignal(end.code, &exit);
  } else {
    exit.kind = ExitKind::kExited;
    exit.code = end.code;
    (void)OutOfMemory(end, &exit);
  }
  if (!survivors_.empty()) StrAppend(exit.text, exit.text.empty() ? "" : "; ", survivors_);
  return exit;
}

void Supervisor::DescribeSignal(int signal, Exit* exit) const {
  exit->text = StrCat("ended by ", SignalName(signal));
  if (signal != SIGKILL) return;
  if (killed_main_) {
    exit->text = grace_over_ ? StrCat("killed: it went on for ",
                                      absl::FormatDuration(order_.spec.grace),
                                      " after SIGTERM")
                             : std::string("killed as ordered");
    return;
  }
  if (OutOfMemory({.by_signal = true, .code = signal}, exit) || cgroup_.OomKills().has_value()) {
    return;
  }
  const std::optional<int64_t> now = HostOomKills();
  if (now.has_value() && host_oom_kills_.has_value() && *now > *host_oom_kills_) {
    StrAppend(
        exit->text,
        "; the kernel ended processes of this host for lack of memory meanwhile, and this may "
        "have been one");
  }
}

// Claimed only when the kernel counted it in the task's own control group.
bool Supervisor::OutOfMemory(const Tree::End& end, Exit* exit) const {
  const int64_t kills = cgroup_.OomKills().value_or(0);
  if (kills == 0) return false;
  // A shell says with this status that what it ran was killed.
  const bool fits = end.by_signal ? end.code == SIGKILL : end.code == kShellKilled;
  if (fits) exit->kind = ExitKind::kOutOfMemory;
  exit->text = StrCat("the kernel ended ", kills, " of its processes for lack of memory");
  return fits;
}

}  // namespace det::agent
