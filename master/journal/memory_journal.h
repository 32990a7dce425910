#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "master/journal/journal.h"

namespace det::journal {

// The durable part of a MemoryJournal: outlives the journals (the masters) that write to it.
struct MemoryStore {
  struct Commit {
    uint64_t state_hash = 0;
    int64_t hash_format = 0;
  };
  std::vector<std::string> events;    // encoded; event i has seq i + 1
  std::map<int64_t, Commit> commits;  // by last seq
  std::map<std::string, SnapshotPart> snapshots;
  int64_t floor = 1;
  std::map<std::pair<Table, std::string>, Value> rows;
  int64_t epoch = 0;  // of the lease's holder
};

// A journal in memory with the whole contract: for the simulation and for tests. One thread.
class MemoryJournal : public Journal {
 public:
  explicit MemoryJournal(std::shared_ptr<MemoryStore> store) : store_(std::move(store)) {}

  absl::StatusOr<int64_t> Acquire() override;
  absl::Status Renew() override;
  absl::Status Append(const Batch& batch) override;
  absl::StatusOr<bool> IsDurable(const Batch& batch) override;
  absl::StatusOr<Loaded> Load() override;
  absl::Status Read(int64_t from, const Visit& visit) override;

 private:
  absl::Status CheckLease() const;

  std::shared_ptr<MemoryStore> store_;
  int64_t epoch_ = 0;
};

}  // namespace det::journal
