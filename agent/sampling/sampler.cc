#include "agent/sampling/sampler.h"

#include <algorithm>

#include "absl/time/clock.h"

#include "common/os/process.h"

namespace det::agent {
namespace {

// Counts of disks that went away, or of a task whose processes ended unseen, may fall.
double Rate(double begin, double end, double seconds) {
  return seconds > 0 ? std::max(end - begin, 0.0) / seconds : 0;
}

}  // namespace

Sampler::Sampler(Options options, OnPoint on_point)
    : options_(options), on_point_(std::move(on_point)), thread_([this] { Loop(); }) {}

Sampler::~Sampler() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

void Sampler::Add(AllocationId id, pid_t supervisor) {
  MutexLock lock(mutex_);
  Task& task = tasks_[id];
  if (task.supervisor == supervisor) return;
  task = {.supervisor = supervisor, .since = SteadyNow()};
  wake_.NotifyAll();
}

void Sampler::Remove(AllocationId id) {
  MutexLock lock(mutex_);
  tasks_.erase(id);
}

// False when it is time to end. While there is no task nobody looks.
bool Sampler::Wait(absl::Duration until) {
  MutexLock lock(mutex_);
  while (!stopping_ && (tasks_.empty() || SteadyNow() < until)) {
    if (tasks_.empty()) {
      begin_.reset();
      wake_.Wait(mutex_);
    } else {
      wake_.WaitFor(mutex_, until - SteadyNow());
    }
  }
  return !stopping_;
}

void Sampler::Loop() {
  absl::Duration next = SteadyNow();
  while (Wait(next)) {
    const absl::Duration now = SteadyNow();
    next = std::max(next + options_.every, now);
    Look(now);
    if (now - begun_ < options_.point_every || looks_ < 2) continue;
    for (const Told& told : Close(now)) on_point_(told.id, told.point);
  }
}

void Sampler::Look(absl::Duration now) {
  last_ = ReadHost();
  const ProcessTable processes = ReadProcesses();
  if (!begin_.has_value()) {
    begin_ = last_;
    begun_ = now;
    looks_ = 0;
    memory_sum_ = 0;
  }
  ++looks_;
  memory_sum_ += static_cast<double>(last_.memory_available);
  MutexLock lock(mutex_);
  for (auto& [id, task] : tasks_) {
    task.last = CountTree(processes, task.supervisor);
    if (!task.begin.has_value()) {
      task.begin = task.last;
      task.begun = now;
    }
    ++task.looks;
    task.resident_sum += static_cast<double>(task.last.resident_bytes);
  }
}

// Ends the point under way; the next begins where it ended.
std::vector<Sampler::Told> Sampler::Close(absl::Duration now) {
  const double seconds = absl::ToDoubleSeconds(now - begun_);
  const double busy = last_.busy_seconds - begin_->busy_seconds;
  const double total = last_.total_seconds - begin_->total_seconds;
  const Point host{.at = absl::Now(),
                   .cpu_util_simple = total > 0 ? std::clamp(100 * busy / total, 0.0, 100.0) : 0,
                   .memory_free = memory_sum_ / looks_,
                   .disk_iops = Rate(static_cast<double>(begin_->disk_operations),
                                     static_cast<double>(last_.disk_operations),
                                     seconds),
                   .disk_throughput_read = Rate(static_cast<double>(begin_->disk_bytes_read),
                                                static_cast<double>(last_.disk_bytes_read),
                                                seconds),
                   .disk_throughput_write = Rate(static_cast<double>(begin_->disk_bytes_written),
                                                 static_cast<double>(last_.disk_bytes_written),
                                                 seconds)};
  std::vector<Told> told;
  MutexLock lock(mutex_);
  for (auto& [id, task] : tasks_) {
    // One that has only come is told of with the next point.
    if (!task.begin.has_value() || task.begun == now) continue;
    Point point = host;
    point.seconds = absl::ToInt64Seconds(now - task.since);
    point.task_cpu_percent = 100 * Rate(task.begin->cpu_seconds,
                                        task.last.cpu_seconds,
                                        absl::ToDoubleSeconds(now - task.begun));
    point.task_memory_bytes = task.resident_sum / task.looks;
    told.push_back({id, point});
    task.begin = task.last;
    task.begun = now;
    task.resident_sum = 0;
    task.looks = 0;
  }
  begin_ = last_;
  begun_ = now;
  looks_ = 0;
  memory_sum_ = 0;
  return told;
}

}  // namespace det::agent
