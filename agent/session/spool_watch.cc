#include "agent/session/spool_watch.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace det::agent {
namespace {

// A program that prints without a pause wakes nobody more often.
constexpr int kRestMilliseconds = 2;

}  // namespace

SpoolWatch::SpoolWatch(OnChange on_change)
    : on_change_(std::move(on_change)),
      inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  if (inotify_.valid() && stop_.valid()) thread_ = std::thread([this] { Loop(); });
}

SpoolWatch::~SpoolWatch() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

bool SpoolWatch::Watch(AllocationId id, const std::string& directory) {
  if (!thread_.joinable()) return false;
  MutexLock lock(mutex_);
  const int watch = inotify_add_watch(inotify_.get(), directory.c_str(), IN_MODIFY | IN_CREATE);
  if (watch < 0) return false;
  runs_[watch] = id;
  return true;
}

void SpoolWatch::Forget(AllocationId id) {
  MutexLock lock(mutex_);
  for (auto at = runs_.begin(); at != runs_.end();) {
    if (at->second == id) {
      inotify_rm_watch(inotify_.get(), at->first);
      at = runs_.erase(at);
    } else {
      ++at;
    }
  }
}

void SpoolWatch::Loop() {
  while (AwaitEvents()) {
    ReadEvents();
    pollfd stop{.fd = stop_.get(), .events = POLLIN};
    if (::poll(&stop, 1, kRestMilliseconds) > 0) return;
  }
}

// False when it is time to end.
bool SpoolWatch::AwaitEvents() const {
  std::array<pollfd, 2> items = {pollfd{.fd = stop_.get(), .events = POLLIN},
                                 pollfd{.fd = inotify_.get(), .events = POLLIN}};
  while (::poll(items.data(), items.size(), -1) < 0 && errno == EINTR) {
  }
  return items[0].revents == 0;
}

void SpoolWatch::ReadEvents() {
  alignas(inotify_event) std::array<char, 16384> buffer;
  std::set<AllocationId> changed;
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    MutexLock lock(mutex_);
    for (size_t at = 0; at < static_cast<size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      at += sizeof(event) + event.len;
      const auto run = runs_.find(event.wd);
      if (run != runs_.end()) changed.insert(run->second);
      // Too many to be kept: any may have changed.
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [watch, id] : runs_) changed.insert(id);
      }
    }
  }
  for (const AllocationId id : changed) on_change_(id);
}

}  // namespace det::agent
