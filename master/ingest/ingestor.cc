#include "master/ingest/ingestor.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/log/log.h"
#include "master/ingest/limits.h"

namespace det::ingest {
namespace {

int64_t RowsOf(const Shipment& shipment) {
  int64_t rows = static_cast<int64_t>(shipment.logs.size());
  for (const Report& report : shipment.reports) {
    const auto* metrics = std::get_if<Metrics>(&report.body);
    rows += metrics == nullptr ? 1 : static_cast<int64_t>(metrics->values.as_object().size());
  }
  return rows;
}

// In memory: what came over the wire, and what it takes to keep a record of it.
int64_t BytesOf(const Shipment& shipment) {
  const auto records = static_cast<int64_t>(shipment.reports.size()) + RowsOf(shipment);
  return 200 + shipment.wire_bytes + 100 * records;
}

// Some row can't be stored, ever. Whatever else goes wrong may be mended: a full disk, a table that
// is away, an error of the disk.
bool IsRefused(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kAlreadyExists;
}

// The writer's thread is to go: another master writes, or this one stops.
bool IsEnd(const absl::Status& status) {
  return status.code() == absl::StatusCode::kAborted ||
         status.code() == absl::StatusCode::kCancelled;
}

// The same records, each in a shipment of its own.
std::vector<Shipment> Split(const Shipment& shipment) {
  std::vector<Shipment> out;
  Shipment empty = shipment;
  empty.reports.clear();
  empty.logs.clear();
  for (const Report& report : shipment.reports) {
    out.push_back(empty);
    out.back().reports = {report};
  }
  for (const LogRecord& record : shipment.logs) {
    out.push_back(empty);
    out.back().logs = {record};
  }
  return out;
}

}  // namespace

Ingestor::Ingestor(Deps deps, int writers) : deps_(std::move(deps)) {
  for (int i = 0; i < writers; ++i) {
    writers_.push_back(std::make_unique<Writer>());
    Writer& writer = *writers_.back();
    writer.thread = std::thread([this, &writer] { Loop(writer); });
  }
}

Ingestor::~Ingestor() {
  for (auto& writer : writers_) {
    MutexLock lock(writer->mutex);
    writer->stopping = true;
    writer->wake.NotifyAll();
  }
  for (auto& writer : writers_) writer->thread.join();
}

bool Ingestor::Offer(Shipment* shipment, const std::shared_ptr<Sender>& sender) {
  const int64_t bytes = BytesOf(*shipment);
  {
    MutexLock lock(room_mutex_);
    if (queued_bytes_.load() >= deps_.queued_bytes_max) {
      waiting_for_room_.push_back(sender);
      return false;
    }
    queued_bytes_ += bytes;
  }
  // All streams of an allocation go to one writer: their order holds, and writers lock different
  // rows.
  Writer& writer =
      *writers_[Mix64(static_cast<uint64_t>(shipment->allocation.value())) % writers_.size()];
  MutexLock lock(writer.mutex);
  writer.queue.push_back({sender, std::exchange(*shipment, {}), bytes});
  writer.wake.NotifyOne();
  return true;
}

void Ingestor::MakeRoom(int64_t bytes) {
  std::vector<std::shared_ptr<Sender>> woken;
  {
    MutexLock lock(room_mutex_);
    queued_bytes_ -= bytes;
    if (queued_bytes_.load() < deps_.queued_bytes_max) woken.swap(waiting_for_room_);
  }
  for (const auto& sender : woken) sender->OnRoom();
}

void Ingestor::Loop(Writer& writer) {
  BatchWriter out({deps_.conninfo, deps_.engine.epoch(), deps_.log_retention_days});
  absl::Status status;
  while (status.ok()) {
    std::vector<Item> items = Next(writer);
    if (items.empty()) return;
    status = Store(writer, out, std::move(items));
  }
  // What can't be stored would wait for ever.
  if (!absl::IsCancelled(status)) deps_.on_fatal(status);
}

// What waits, up to a commit's worth; empty when it is time to end.
std::vector<Ingestor::Item> Ingestor::Next(Writer& writer) {
  MutexLock lock(writer.mutex);
  while (writer.queue.empty() && !writer.stopping) writer.wake.Wait(writer.mutex);
  std::vector<Item> items;
  if (writer.stopping) return items;
  int64_t rows = 0;
  while (!writer.queue.empty() && rows < kRowsPerCommitMax) {
    rows += 1 + RowsOf(writer.queue.front().shipment);
    items.push_back(std::move(writer.queue.front()));
    writer.queue.pop_front();
  }
  return items;
}

// False when it is time to end.
bool Ingestor::Pause(Writer& writer, absl::Duration duration) {
  MutexLock lock(writer.mutex);
  if (!writer.stopping) writer.wake.WaitFor(writer.mutex, duration);
  return !writer.stopping;
}

// Until the store answers, however long that takes. kCancelled: it is time to end. kAborted: the
// lease was taken.
absl::Status Ingestor::Persist(Writer& writer, const std::function<absl::Status()>& write) {
  absl::Duration pause = kRetryMin;
  while (true) {
    const absl::Status status = write();
    if (status.ok() || IsEnd(status) || IsRefused(status)) return status;
    if (pause == kRetryMin)
      LogWarning("ingest can't write", {{"cause", std::string(status.message())}});
    ++totals_.retries;
    if (!Pause(writer, pause)) return absl::CancelledError("stopping");
    pause = std::min(pause * 2, kRetryMax);
  }
}

absl::Status Ingestor::Store(Writer& writer, BatchWriter& out, std::vector<Item> items) {
  // What is behind something refused is sent again.
  std::erase_if(items, [this](const Item& item) {
    const bool refused = item.sender->refused();
    if (refused) MakeRoom(item.bytes);
    return refused;
  });
  if (items.empty()) return absl::OkStatus();
  std::vector<const Shipment*> shipments;
  for (const Item& item : items) shipments.push_back(&item.shipment);
  std::vector<Stored> stored;
  const absl::Status status = Persist(writer, [&] { return out.Write(shipments, &stored); });
  if (IsRefused(status)) {
    DET_RETURN_IF_ERROR(StoreOneByOne(writer, out, items, &stored));
  } else {
    DET_RETURN_IF_ERROR(status);
  }
  TellNews(items, stored);
  Finish(writer, std::move(items), stored);
  return absl::OkStatus();
}

void Ingestor::TellNews(const std::vector<Item>& items, const std::vector<Stored>& stored) {
  if (deps_.log_news == nullptr) return;
  std::set<TrialId> trials;
  for (size_t i = 0; i < items.size(); ++i) {
    if (stored[i].log_rows + stored[i].unreadable > 0) trials.insert(items[i].shipment.trial);
  }
  for (const TrialId trial : trials) deps_.log_news->Announce(trial.value());
}

// Some row can't be stored: it must not hold up the others for ever.
absl::Status Ingestor::StoreOneByOne(Writer& writer,
                                     BatchWriter& out,
                                     const std::vector<Item>& items,
                                     std::vector<Stored>* stored) {
  // Rows without a partition to go to are no fault of theirs.
  DET_RETURN_IF_ERROR(Persist(writer, [&] { return out.EnsurePartitions(); }));
  stored->clear();
  for (const Item& item : items) {
    std::vector<Stored> one;
    absl::Status status = Persist(writer, [&] { return out.Write({&item.shipment}, &one); });
    one.resize(1);
    if (IsRefused(status)) status = StoreRecords(writer, out, item.shipment, &one[0]);
    DET_RETURN_IF_ERROR(status);
    stored->push_back(one[0]);
  }
  return absl::OkStatus();
}

// A record at a time. One that the store refuses is given up: counted as stored, with a line in the
// trial's log that says so.
absl::Status Ingestor::StoreRecords(Writer& writer,
                                    BatchWriter& out,
                                    const Shipment& shipment,
                                    Stored* stored) {
  for (const Shipment& one : Split(shipment)) {
    std::vector<Stored> result;
    absl::Status status = Persist(writer, [&] { return out.Write({&one}, &result); });
    if (IsRefused(status)) {
      const std::string why(status.message());
      LogError("a record was refused by the store",
               {{"allocation", one.allocation.ToString()}, {"cause", why}});
      result.resize(1);
      status = Persist(writer, [&] { return out.GiveUp(one, why, &result[0]); });
    }
    DET_RETURN_IF_ERROR(status);
    stored->high = result[0].high;
    stored->ended = result[0].ended;
    stored->metric_rows += result[0].metric_rows;
    stored->log_rows += result[0].log_rows;
    stored->unreadable += result[0].unreadable;
  }
  return absl::OkStatus();
}

// In groups for which the core has room: a few waits cost less than senders that are refused and
// come again.
void Ingestor::Finish(Writer& writer, std::vector<Item> items, const std::vector<Stored>& stored) {
  std::vector<StoredShipment> group;
  int64_t commands = 0;
  int64_t bytes = 0;
  const auto flush = [&] {
    if (AwaitCore(writer, commands)) TakeIn(deps_.engine, group);
    group.clear();
    MakeRoom(std::exchange(bytes, 0));
    commands = 0;
  };
  for (size_t i = 0; i < items.size(); ++i) {
    totals_.metric_rows += stored[i].metric_rows;
    totals_.log_rows += stored[i].log_rows;
    if (stored[i].ended) ++totals_.refused;
    totals_.unreadable += stored[i].unreadable;
    group.push_back({std::move(items[i].sender), std::move(items[i].shipment), stored[i]});
    commands += CommandsOf(group.back());
    bytes += items[i].bytes;
    if (commands >= kCommandsPerGroup) flush();
  }
  flush();
}

// False when it is time to end. A group that is larger than all the room there is has to try.
bool Ingestor::AwaitCore(Writer& writer, int64_t commands) {
  const int64_t wanted = std::min(commands + 1, 2 * kCommandsPerGroup);
  while (!deps_.engine.HasRoom(wanted)) {
    if (!Pause(writer, kCorePause)) return false;
  }
  return true;
}

}  // namespace det::ingest
