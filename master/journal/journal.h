#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "master/core/event.h"
#include "master/journal/tables.h"

namespace det::journal {

// One aggregate's saved form, or its removal. A snapshot is only a shortcut past the events up to
// `seq`: reading every event from the first gives the same state.
struct SnapshotPart {
  std::string key;                   // names the aggregate
  int64_t seq = 0;                   // of the last event in it
  std::optional<std::string> bytes;  // absent: the aggregate is gone, and its saved form goes too
};

// What one commit writes, wholly or not at all. Event i has the sequence number first_seq + i.
struct Batch {
  int64_t first_seq = 1;
  std::vector<core::Event> events;
  uint64_t state_hash = 0;  // core::RunningHash after the last event
  std::vector<Row> rows;    // no two with the same key
  std::vector<SnapshotPart> snapshots;
  // Events before it are in no aggregate's future: recovery reads from here. 0: unchanged.
  int64_t snapshot_floor = 0;

  int64_t last_seq() const { return first_seq + static_cast<int64_t>(events.size()) - 1; }
};

// Appends `more`, which must follow directly, to `batch`: later rows and snapshots replace earlier.
void Merge(Batch& batch, Batch more);

// About so many bytes of rows and snapshots, which is where a large batch is large.
int64_t ApproximateBytes(const Batch& batch);

struct Loaded {
  std::vector<SnapshotPart> snapshots;
  int64_t floor = 1;        // read events from here
  int64_t last_seq = 0;     // of the journal
  uint64_t state_hash = 0;  // as recorded with the last event,
  int64_t hash_format = 0;  // in this format; 0: none is recorded
};

// An event as it lies in the journal.
struct Recorded {
  int64_t seq = 0;
  core::Event event;
  uint64_t state_hash = 0;  // with the last event of a commit,
  int64_t hash_format = 0;  // in this format; 0: it is not the last one
};
using Visit = std::function<absl::Status(const Recorded&)>;

// Where the master's events become durable. One writer: whoever holds the lease, named by its
// epoch. Every call but the constructor's may block; one thread at a time.
//
// Append's errors, and only these:
//   kUnavailable       nothing was written; the same batch may be tried again
//   kUnknown           it may or may not have been written (the connection broke): ask IsDurable
//   kAborted           another master holds the lease: stop, write nothing more
//   kOutOfRange        the batch is larger than the store can take; no other try will do
//   kDataLoss          the journal contradicts this writer: stop, write nothing more
class Journal {
 public:
  virtual ~Journal() = default;

  // Takes the lease and ends every older epoch; waits for nobody: kUnavailable while another
  // master's lease has not lapsed. The epoch is above every earlier one.
  virtual absl::StatusOr<int64_t> Acquire() = 0;

  // Keeps the lease from lapsing; called every second. kUnavailable or kAborted.
  virtual absl::Status Renew() = 0;

  virtual absl::Status Append(const Batch& batch) = 0;

  // After kUnknown: is the batch there? Same errors as Append. It waits for a statement that runs,
  // but one that was sent and not begun may still run later: when "no" is answered the batch must
  // be appended again or nothing else. Whichever comes second then fails, since its events' numbers
  // are taken, and its writer asks again.
  virtual absl::StatusOr<bool> IsDurable(const Batch& batch) = 0;

  // kUnavailable: try again. kDataLoss: what is there can't be read.
  virtual absl::StatusOr<Loaded> Load() = 0;

  // Calls `visit` for each event from `from` in order, until it fails. Other errors as Load.
  virtual absl::Status Read(int64_t from, const Visit& visit) = 0;
};

}  // namespace det::journal
