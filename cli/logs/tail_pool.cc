#include "cli/logs/tail_pool.h"

#include <utility>

namespace det::cli {
namespace {

constexpr size_t kItemsMax = 10'000;

}  // namespace

TailPool::~TailPool() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (Reader& reader : readers_) reader.tail->Cancel();
  for (Reader& reader : readers_) reader.thread.join();
}

void TailPool::Start(const api::TailLogsRequest& request) {
  ++open_;
  Reader& reader = readers_.emplace_back();
  reader.tail = std::make_unique<TrialTail>(client_, request);
  reader.thread = std::thread([this, tail = reader.tail.get(), trial = request.trial()] {
    const absl::Status status = tail->Run([&](const api::LogLine& line) {
      Put({trial, line, absl::OkStatus()});
    });
    Put({trial, std::nullopt, status});
  });
}

std::optional<TailPool::Item> TailPool::Next(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  const MutexLock lock(mutex_);
  while (items_.empty() && absl::Now() < deadline) {
    changed_.WaitFor(mutex_, deadline - absl::Now());
  }
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  if (!item.line.has_value()) --open_;
  changed_.NotifyAll();
  return item;
}

void TailPool::Put(Item item) {
  const MutexLock lock(mutex_);
  while (items_.size() >= kItemsMax && !stopping_) changed_.Wait(mutex_);
  items_.push_back(std::move(item));
  changed_.NotifyAll();
}

}  // namespace det::cli
