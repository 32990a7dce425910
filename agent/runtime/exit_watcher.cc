#include "agent/runtime/exit_watcher.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/os/process.h"

namespace det::agent {
namespace {

constexpr absl::Duration kLookPause = absl::Milliseconds(20);
// Between looks that fail: the disk may be away.
constexpr absl::Duration kErrorPause = absl::Seconds(1);
constexpr absl::Duration kLongestWait = absl::Minutes(1);

}  // namespace

// What one round waits for.
struct ExitWatcher::Waiting {
  std::vector<pollfd> polled;
  std::vector<std::string> directories;  // of polled[1], polled[2], ...
  std::vector<std::shared_ptr<const UniqueFd>> kept;
  std::vector<std::string> due;
  absl::Duration wait = kLongestWait;
  bool stop = false;
};

ExitWatcher::ExitWatcher(Eyes eyes)
    : eyes_(std::move(eyes)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  DET_CHECK(wake_.valid(), "no descriptor is free");
  thread_ = std::thread([this] { Run(); });
}

ExitWatcher::~ExitWatcher() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  Wake();
  thread_.join();
}

void ExitWatcher::Wake() {
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
}

void ExitWatcher::Watch(const std::string& directory, OnExit on_exit) {
  {
    const MutexLock lock(mutex_);
    items_[directory] = Item{std::move(on_exit), nullptr, absl::ZeroDuration()};
  }
  Wake();
}

void ExitWatcher::Forget(const std::string& directory) {
  const MutexLock lock(mutex_);
  items_.erase(directory);
}

void ExitWatcher::Run() {
  for (;;) {
    Waiting waiting = Collect();
    if (waiting.stop) return;
    if (waiting.due.empty()) {
      const absl::Duration wait = absl::Ceil(waiting.wait, absl::Milliseconds(1));
      const int ready = ::poll(waiting.polled.data(),
                               waiting.polled.size(),
                               static_cast<int>(absl::ToInt64Milliseconds(wait)));
      if (ready <= 0) continue;
    }
    uint64_t woken = 0;
    (void)!::read(wake_.get(), &woken, sizeof(woken));
    for (size_t i = 1; i < waiting.polled.size(); ++i) {
      if (waiting.polled[i].revents != 0) waiting.due.push_back(waiting.directories[i - 1]);
    }
    for (const std::string& directory : waiting.due) LookAt(directory);
  }
}

ExitWatcher::Waiting ExitWatcher::Collect() {
  Waiting waiting;
  waiting.polled.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});
  const MutexLock lock(mutex_);
  waiting.stop = stop_;
  const absl::Duration now = SteadyNow();
  for (const auto& [directory, item] : items_) {
    if (item.process != nullptr) {
      waiting.polled.push_back({.fd = item.process->get(), .events = POLLIN, .revents = 0});
      waiting.directories.push_back(directory);
      waiting.kept.push_back(item.process);
    } else if (item.look_at <= now) {
      waiting.due.push_back(directory);
    } else {
      waiting.wait = std::min(waiting.wait, item.look_at - now);
    }
  }
  return waiting;
}

// An error that stays is looked at again and again, and told when it changes.
void ExitWatcher::SayOnce(const std::string& directory, const absl::Status& status) {
  {
    const MutexLock lock(mutex_);
    const auto it = items_.find(directory);
    if (it == items_.end() || it->second.said == status.message()) return;
    it->second.said = std::string(FromAbsl(status.message()));
  }
  LogError("it can't be seen how a task stands; trying on",
           {{"directory", directory}, {"cause", std::string(FromAbsl(status.message()))}});
}

void ExitWatcher::LookAt(const std::string& directory) {
  absl::StatusOr<Found> found = eyes_.look(directory);
  if (!found.ok()) {
    SayOnce(directory, found.status());
    LookLater(directory, kErrorPause);
    return;
  }
  if (found->state == Found::State::kRunning) {
    LookLater(directory, kLookPause);
    return;
  }
  if (found->state == Found::State::kNothing) {
    // It was on its way when the watch began.
    found->exit = {.kind = ExitKind::kLost, .text = "its supervisor ended before it was started"};
  }
  OnExit on_exit;
  {
    const MutexLock lock(mutex_);
    const auto it = items_.find(directory);
    if (it == items_.end() || stop_) return;
    on_exit = std::move(it->second.on_exit);
    items_.erase(it);
  }
  on_exit(found->exit);
}

// By its process when it has one.
void ExitWatcher::LookLater(const std::string& directory, absl::Duration pause) {
  absl::StatusOr<UniqueFd> process = eyes_.open(directory);
  const MutexLock lock(mutex_);
  const auto it = items_.find(directory);
  if (it == items_.end()) return;
  it->second.process =
      process.ok() ? std::make_shared<const UniqueFd>(*std::move(process)) : nullptr;
  it->second.look_at = SteadyNow() + pause;
}

}  // namespace det::agent
