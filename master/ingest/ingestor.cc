#include "master/ingest/ingestor.h"

#include <algorithm>

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
    if (metrics != nullptr) rows += static_cast<int64_t>(metrics->values.as_object().size());
  }
  return rows;
}

// In memory: what came over the wire, and what it takes to keep a record of it.
int64_t BytesOf(const Shipment& shipment) {
  const auto records = static_cast<int64_t>(shipment.reports.size()) + RowsOf(shipment);
  return 200 + shipment.wire_bytes + 100 * records;
}

bool IsTransient(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kUnknown ||
         status.code() == absl::StatusCode::kResourceExhausted;
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

bool Ingestor::Offer(Shipment&& shipment, Ack ack, std::function<void()> on_room) {
  const int64_t bytes = BytesOf(shipment);
  {
    MutexLock lock(room_mutex_);
    if (queued_bytes_.load() >= deps_.queued_bytes_max) {
      waiting_for_room_.push_back(std::move(on_room));
      return false;
    }
    queued_bytes_ += bytes;
  }
  // All streams of an allocation go to one writer: their order holds, and writers lock different
  // rows.
  Writer& writer =
      *writers_[Mix64(static_cast<uint64_t>(shipment.allocation.value())) % writers_.size()];
  MutexLock lock(writer.mutex);
  writer.queue.push_back({std::move(shipment), std::move(ack), bytes});
  writer.wake.NotifyOne();
  return true;
}

void Ingestor::MakeRoom(int64_t bytes) {
  std::vector<std::function<void()>> woken;
  {
    MutexLock lock(room_mutex_);
    queued_bytes_ -= bytes;
    if (queued_bytes_.load() < deps_.queued_bytes_max) woken.swap(waiting_for_room_);
  }
  for (auto& wake : woken) wake();
}

void Ingestor::Loop(Writer& writer) {
  BatchWriter out(deps_.conninfo, deps_.engine.epoch());
  while (true) {
    std::vector<Item> items = Next(writer);
    if (items.empty() || !Store(writer, out, std::move(items))) return;
  }
}

// What waits, up to a commit's worth; empty when it is time to end.
std::vector<Ingestor::Item> Ingestor::Next(Writer& writer) {
  MutexLock lock(writer.mutex);
  while (writer.queue.empty() && !writer.stopping) writer.wake.Wait(writer.mutex);
  std::vector<Item> items;
  if (writer.stopping) return items;
  int64_t rows = 0;
  while (!writer.queue.empty() && rows < kRowsPerCommitMax) {
    rows += RowsOf(writer.queue.front().shipment);
    items.push_back(std::move(writer.queue.front()));
    writer.queue.pop_front();
  }
  return items;
}

// Until the store answers, however long that takes. kCancelled: it is time to end. kAborted was
// told to on_fatal.
absl::Status Ingestor::Persist(Writer& writer, const std::function<absl::Status()>& write) {
  absl::Duration pause = kRetryMin;
  absl::Status status = write();
  while (IsTransient(status)) {
    if (pause == kRetryMin)
      LogWarning("ingest can't write", {{"cause", std::string(status.message())}});
    ++totals_.retries;
    {
      MutexLock lock(writer.mutex);
      if (!writer.stopping) writer.wake.WaitFor(writer.mutex, pause);
      if (writer.stopping) return absl::CancelledError("stopping");
    }
    pause = std::min(pause * 2, kRetryMax);
    status = write();
  }
  if (status.code() == absl::StatusCode::kAborted) deps_.on_fatal(status);
  return status;
}

// False when it is time to end.
bool Ingestor::Store(Writer& writer, BatchWriter& out, std::vector<Item> items) {
  std::vector<const Shipment*> shipments;
  for (const Item& item : items) shipments.push_back(&item.shipment);
  std::vector<Stored> stored;
  const absl::Status status = Persist(writer, [&] { return out.Write(shipments, &stored); });
  if (IsEnd(status)) return false;
  if (!status.ok()) return StoreOneByOne(writer, out, std::move(items));
  for (size_t i = 0; i < items.size(); ++i) Finish(std::move(items[i]), stored[i]);
  return true;
}

// Some row can't be stored: it must not hold up the others for ever.
bool Ingestor::StoreOneByOne(Writer& writer, BatchWriter& out, std::vector<Item> items) {
  // Rows without a partition to go to are no fault of theirs.
  if (IsEnd(Persist(writer, [&] { return out.EnsurePartitions(); }))) return false;
  for (Item& item : items) {
    std::vector<Stored> stored;
    absl::Status status = Persist(writer, [&] { return out.Write({&item.shipment}, &stored); });
    if (!status.ok() && !IsEnd(status)) {
      stored.resize(1);
      status = StoreRecords(writer, out, item.shipment, &stored[0]);
    }
    if (!status.ok()) return false;
    Finish(std::move(item), stored[0]);
  }
  return true;
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
    if (!status.ok() && !IsEnd(status)) {
      const std::string why(status.message());
      LogError("a record was refused by the store",
               {{"allocation", one.allocation.ToString()}, {"cause", why}});
      result.resize(1);
      status = Persist(writer, [&] { return out.GiveUp(one, why, &result[0]); });
    }
    if (!status.ok()) return status;
    stored->high = result[0].high;
    stored->ended = result[0].ended;
    stored->metric_rows += result[0].metric_rows;
    stored->log_rows += result[0].log_rows;
    stored->unreadable += result[0].unreadable;
  }
  return absl::OkStatus();
}

// Posts what the core must hear. The stream is acknowledged record by record as the answers come,
// which is in order: the core answers in the order of its commands.
void Ingestor::Finish(Item item, const Stored& stored) {
  totals_.metric_rows += stored.metric_rows;
  totals_.log_rows += stored.log_rows;
  if (stored.ended) ++totals_.refused;
  totals_.unreadable += stored.unreadable;
  const auto ack = std::make_shared<Ack>(std::move(item.ack));
  int64_t last = 0;
  int64_t posted = 0;
  for (const LogRecord& record : item.shipment.logs) last = std::max(last, record.seq);
  for (const Report& report : item.shipment.reports) {
    if (!stored.ended && report.id.seq > stored.high) break;
    last = std::max(last, report.id.seq);
    const auto command = stored.ended ? std::nullopt : CommandFor(item.shipment.agent, report);
    if (!command.has_value()) continue;
    posted = report.id.seq;
    deps_.engine.Post(*command, [ack, seq = report.id.seq](absl::StatusOr<core::Events> result) {
      // A refusal is an answer too; what never reached the core has to be sent again.
      const absl::StatusCode code = result.status().code();
      const bool again =
          code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted;
      (*ack)(again ? absl::StatusOr<int64_t>(result.status()) : seq);
    });
  }
  if (last > posted) {
    if (posted == 0) {
      (*ack)(last);
    } else {
      // Behind the commands before it.
      const absl::Status queued = deps_.engine.Follow([ack, last] { (*ack)(last); });
      if (!queued.ok()) (*ack)(queued);
    }
  }
  MakeRoom(item.bytes);
}

}  // namespace det::ingest
