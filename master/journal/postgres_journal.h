#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"

#include "master/journal/journal.h"

namespace det::pg {
class Connection;
}

namespace det::journal {

// How long a lease lives without being renewed, by the database's clock. A holder that died on this
// machine is known to be dead at once.
inline constexpr absl::Duration kLeaseLife = absl::Seconds(10);

// A larger commit is refused: the server takes no message of 1 GiB, and what it is sent it holds
// more than once.
inline constexpr int64_t kCommitBytesMax = 256 << 20;

// The journal in PostgreSQL, on a migrated database. A commit is one statement: the fence, the
// events, the projections and the snapshots.
class PostgresJournal : public Journal {
 public:
  // The name of this process as a holder: "boot id/process id/start time/pid
  // namespace".
  static absl::StatusOr<std::string> ThisProcess();

  PostgresJournal(const std::string& conninfo, std::string holder);
  ~PostgresJournal() override;

  absl::StatusOr<int64_t> Acquire() override;
  absl::Status Renew() override;
  absl::Status Append(const Batch& batch) override;
  absl::StatusOr<bool> IsDurable(const Batch& batch) override;
  absl::StatusOr<Loaded> Load() override;
  absl::Status Read(int64_t from, const Visit& visit) override;

  // Lets another master take over at once. For a clean end.
  absl::Status Release();

 private:
  std::unique_ptr<pg::Connection> connection_;
  const std::string holder_;
  int64_t epoch_ = 0;
};

}  // namespace det::journal
