#include "master/ended/deleter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/pg/pg.h"

namespace det::ended {
namespace {

constexpr int64_t kRowsPerBatch = 5000;
constexpr size_t kTrialsPerBatch = 500;
constexpr int kTriesMax = 5;  // of what is no fault of the store's being away
constexpr int64_t kWhyBytesMax = 1024;
// While checkpoints go, or the store is away, another look comes after so long.
constexpr absl::Duration kLookEvery = absl::Seconds(1);

constexpr std::string_view kCheckpoints = "its checkpoints could not be deleted";
constexpr std::string_view kTrialsOf = "SELECT id FROM trials WHERE experiment_id = $1";

// Of plain tables, what goes of each, in this order: without the allocations' rows nothing that
// comes late is taken any more, and the trials' rows lead to all the rest, so they go last.
std::vector<std::pair<std::string, std::string>> PlainTables() {
  const std::string of_trials = StrCat("trial_id IN (", kTrialsOf, ")");
  return {
      {"streams", StrCat("allocation_id IN (SELECT id FROM allocations WHERE ", of_trials, ")")},
      {"allocations", of_trials},
      {"trial_live", of_trials},
      {"metric_runs", of_trials},
      {"metric_summaries", of_trials},
      {"retention", "experiment_id = $1"},
      {"deletions", "experiment_id = $1"},
      {"checkpoints", "experiment_id = $1"},
      {"transitions", "experiment_id = $1 AND kind <> 'experiment'"},
      {"ended", "experiment_id = $1"}};
}

std::string BatchSql(std::string_view table, std::string_view where) {
  return StrCat("DELETE FROM ",
                table,
                " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ",
                table,
                " WHERE ",
                where,
                " LIMIT ",
                kRowsPerBatch,
                "))");
}

}  // namespace

Deleter::Deleter(Deps deps)
    : deps_(std::move(deps)), connection_(std::make_unique<pg::Connection>(deps_.conninfo)) {
  thread_ = std::thread([this] { Loop(); });
}

Deleter::~Deleter() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void Deleter::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  wake_.NotifyAll();
}

bool Deleter::Stopping() {
  MutexLock lock(mutex_);
  return stopping_;
}

void Deleter::Loop() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!woken_ && !stopping_) wake_.WaitFor(mutex_, kLookEvery);
      if (stopping_) return;
      woken_ = false;
    }
    const absl::Status status = Look();
    if (!status.ok() && !absl::IsCancelled(status))
      LogWarning("experiments can't be deleted now", {{"cause", std::string(status.message())}});
  }
}

// While the store is away all wait. What else fails is that experiment's own: the others go on, and
// after some tries it is said why it can't be deleted.
absl::Status Deleter::Look() {
  std::vector<std::pair<ExperimentId, std::string>> deleting;
  DET_RETURN_IF_ERROR(connection_->Transact([&](pqxx::work& tx) {
    deleting.clear();
    for (const auto& row :
         tx.exec("SELECT id, reason_actor FROM experiments WHERE state = 'DELETING' ORDER BY id")) {
      deleting.emplace_back(row[0].as<int64_t>(), row[1].as<std::string>());
    }
  }));
  absl::Status first;
  for (const auto& [id, actor] : deleting) {
    const absl::Status status = Delete(id, actor);
    if (absl::IsCancelled(status) || absl::IsAborted(status) || absl::IsUnavailable(status)) {
      return status;
    }
    if (status.ok()) {
      tries_.erase(id);
    } else if (++tries_[id] >= kTriesMax) {
      tries_.erase(id);
      first.Update(Finish(id, {"it could not be deleted", status}));
    } else {
      first.Update(Annotate(status, StrCat("experiment ", id.value())));
    }
  }
  return first;
}

absl::Status Deleter::Delete(ExperimentId id, const std::string& actor) {
  if (asked_.insert(id).second) {
    const absl::Status asked = deps_.checkpoints.RequestAll(id, actor).status();
    if (!asked.ok()) {
      asked_.erase(id);
      // What a try may mend is tried again; a checkpoint that is in use is an answer.
      return absl::IsFailedPrecondition(asked) ? Finish(id, {kCheckpoints, asked}) : asked;
    }
  }
  DET_ASSIGN_OR_RETURN(const deletion::Standing standing, deps_.checkpoints.Of(id));
  if (standing.open > 0) return absl::OkStatus();
  asked_.erase(id);
  if (standing.failed > 0) {
    return Finish(id, {kCheckpoints, absl::UnavailableError(standing.first_reason)});
  }
  DET_RETURN_IF_ERROR(DeleteRows(id));
  return Finish(id, {});
}

absl::Status Deleter::Drain(const std::string& sql, const std::string& parameter) {
  for (int64_t gone = kRowsPerBatch; gone == kRowsPerBatch;) {
    if (Stopping()) return absl::CancelledError("stopping");
    DET_RETURN_IF_ERROR(connection_->Transact([&](pqxx::work& tx) {
      tx.exec_params("SELECT det_fence($1)", deps_.epoch);
      gone = static_cast<int64_t>(tx.exec_params(sql, parameter).affected_rows());
    }));
  }
  return absl::OkStatus();
}

// A row's place is its partition's, so each partition is gone through by itself.
absl::Status Deleter::DrainPartitioned(std::string_view table, ExperimentId id) {
  std::vector<std::string> parts;
  std::vector<int64_t> trials;
  DET_RETURN_IF_ERROR(connection_->Transact([&](pqxx::work& tx) {
    parts.clear();
    trials.clear();
    for (const auto& row : tx.exec_params(
             "SELECT relid::regclass::text FROM pg_partition_tree($1::regclass) WHERE isleaf",
             std::string(table))) {
      parts.push_back(row[0].as<std::string>());
    }
    for (const auto& row : tx.exec_params(std::string(kTrialsOf), id.value())) {
      trials.push_back(row[0].as<int64_t>());
    }
  }));
  std::vector<std::string> batches;
  for (size_t begin = 0; begin < trials.size(); begin += kTrialsPerBatch) {
    const size_t end = std::min(trials.size(), begin + kTrialsPerBatch);
    batches.push_back(pg::ArrayOf(std::vector<int64_t>(
        trials.begin() + static_cast<int64_t>(begin), trials.begin() + static_cast<int64_t>(end))));
  }
  for (const std::string& part : parts) {
    for (const std::string& batch : batches) {
      DET_RETURN_IF_ERROR(Drain(BatchSql(part, "trial_id = ANY ($1::bigint[])"), batch));
    }
  }
  return absl::OkStatus();
}

absl::Status Deleter::DeleteRows(ExperimentId id) {
  for (const auto& [table, where] : PlainTables()) {
    DET_RETURN_IF_ERROR(Drain(BatchSql(table, where), id.ToString()));
  }
  for (const char* table : {"metrics", "task_logs"}) {
    DET_RETURN_IF_ERROR(DrainPartitioned(table, id));
  }
  for (const char* table : {"trials", "submissions"}) {
    DET_RETURN_IF_ERROR(Drain(BatchSql(table, "experiment_id = $1"), id.ToString()));
  }
  return absl::OkStatus();
}

absl::Status Deleter::Finish(ExperimentId id, const Outcome& outcome) {
  const std::string_view why =
      CutUtf8(FromAbsl(outcome.status.message()), static_cast<size_t>(kWhyBytesMax));
  return connection_->Transact([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", deps_.epoch);
    if (outcome.status.ok()) {
      // Nothing is left of it that a policy could collect.
      tx.exec_params(
          "UPDATE experiments SET state = 'DELETED', collected_at = greatest(now(), ended_at) "
          "WHERE id = $1",
          id.value());
      return;
    }
    tx.exec_params(
        "UPDATE experiments SET state = 'DELETE_FAILED', reason_code = 'DELETE_FAILED', "
        "reason_text = $2, reason_actor = 'master', reason_since = now() WHERE id = $1",
        id.value(),
        pg::StorableText(StrCat(outcome.what, ": ", why)));
  });
}

}  // namespace det::ended
