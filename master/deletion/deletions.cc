#include "master/deletion/deletions.h"

#include <set>
#include <stdexcept>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/pg/pg.h"
#include "master/store/checkpoint_sql.h"

namespace det::deletion {
namespace {

constexpr int kConnectionsMax = 4;

// Before a statement with kInUse: what experiments that live begin from. Read once, however many
// checkpoints are asked about.
constexpr std::string_view kWithWanted =
    "WITH wanted AS MATERIALIZED (SELECT x.id, s.config->'searcher'->>'source_checkpoint_uuid' AS "
    "uuid, s.config->'searcher'->>'source_trial_id' AS trial FROM experiments x "
    "JOIN submissions s ON s.experiment_id = x.id WHERE x.ended_at IS NULL AND "
    "coalesce(s.config->'searcher'->>'source_checkpoint_uuid', "
    "s.config->'searcher'->>'source_trial_id') IS NOT NULL) ";
// Why a checkpoint c of a trial t must stay, whatever its owner says; null: it may go.
constexpr std::string_view kInUse =
    "CASE WHEN t.ended_at IS NULL AND t.latest_checkpoint = c.uuid "
    "THEN 'trial ' || t.id || ' would go on from it' "
    "WHEN c.uuid IN (SELECT uuid FROM wanted WHERE uuid IS NOT NULL) OR "
    "c.trial_id::text IN (SELECT trial FROM wanted WHERE trial IS NOT NULL) "
    "THEN (SELECT 'experiment ' || w.id || ' begins from it' FROM wanted w "
    "WHERE w.uuid = c.uuid OR w.trial = c.trial_id::text LIMIT 1) END";

constexpr std::string_view kColumns =
    "d.id, d.experiment_id, d.trial_id, d.uuid, d.globs, d.state, d.reason, d.attempts, d.actor";

std::vector<std::string> Strings(const std::string& json) {
  std::vector<std::string> out;
  const absl::StatusOr<Value> value = ParseJson(json);
  if (!value.ok() || !value->is_array()) return out;
  for (const Value& item : value->as_array()) out.push_back(item.as_string());
  return out;
}

storage::FileMap Files(const std::string& json) {
  storage::FileMap out;
  const absl::StatusOr<Value> value = ParseJson(json);
  if (!value.ok() || !value->is_object()) return out;
  for (const auto& [path, bytes] : value->as_object()) {
    if (bytes.is_int() && !path.ends_with('/')) out[path] = bytes.as_int();
  }
  return out;
}

std::string ToJson(const std::vector<std::string>& globs) {
  Value::Array out(globs.begin(), globs.end());
  return Value(std::move(out)).ToJson();
}

Deletion ToDeletion(const pqxx::row& row) {
  return {.id = row[0].as<int64_t>(),
          .experiment = ExperimentId(row[1].as<int64_t>()),
          .target = {TrialId(row[2].as<int64_t>()), row[3].as<std::string>()},
          .globs = Strings(row[4].as<std::string>()),
          .state = row[5].as<std::string>(),
          .reason = row[6].as<std::string>(),
          .attempts = row[7].as<int64_t>(),
          .actor = row[8].as<std::string>()};
}

std::vector<Deletion> ToDeletions(const pqxx::result& rows) {
  std::vector<Deletion> out;
  for (const auto& row : rows) out.push_back(ToDeletion(row));
  return out;
}

std::string NameOf(const Target& target) {
  return StrCat(target.trial.value(), "/", target.uuid);
}

absl::Status NoExperiment(ExperimentId id) {
  return Error(absl::StatusCode::kNotFound,
               "EXPERIMENT_NOT_FOUND",
               StrCat("experiment ", id.value(), " does not exist"));
}

// Ends a transaction with a status of ours; nothing of it is done.
class Refused : public std::runtime_error {
 public:
  explicit Refused(absl::Status why) : std::runtime_error("refused"), status(std::move(why)) {}
  absl::Status status;
};

absl::Status ReadRefused(pg::Pool& pool, const std::function<void(pqxx::work&)>& read) {
  absl::Status refused;
  const absl::Status status = pool.Read([&](pqxx::work& tx) {
    refused = absl::OkStatus();
    try {
      read(tx);
    } catch (const Refused& why) {
      refused = why.status;
    }
  });
  return refused.ok() ? status : refused;
}

absl::Status WriteFenced(pg::Pool& pool,
                         int64_t epoch,
                         const std::function<void(pqxx::work&)>& work) {
  absl::Status refused;
  const absl::Status status = pool.Write([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch);
    try {
      work(tx);
    } catch (const Refused& why) {
      refused = why.status;
      throw;  // which takes everything back
    }
  });
  return refused.ok() ? status : refused;
}

absl::Status InUse(const Target& target, std::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition,
               "CHECKPOINT_IN_USE",
               StrCat("checkpoint ", NameOf(target), " is in use: ", why),
               "wait for its end, or kill it");
}

void CheckMayGo(pqxx::work& tx, const Target& target) {
  const pqxx::result rows =
      tx.exec_params(StrCat(kWithWanted,
                            "SELECT c.state, ",
                            kInUse,
                            " FROM checkpoints c JOIN trials t ON t.id = c.trial_id "
                            "WHERE c.trial_id = $1 AND c.uuid = $2"),
                     target.trial.value(),
                     target.uuid);
  if (rows.empty()) {
    throw Refused{Error(absl::StatusCode::kNotFound,
                        "CHECKPOINT_NOT_FOUND",
                        StrCat("checkpoint ", NameOf(target), " does not exist"))};
  }
  if (rows[0][0].as<std::string>() == "DELETED") {
    throw Refused{Error(absl::StatusCode::kFailedPrecondition,
                        "CHECKPOINT_DELETED",
                        StrCat("checkpoint ", NameOf(target), " is deleted already"))};
  }
  if (!rows[0][1].is_null()) throw Refused{InUse(target, rows[0][1].as<std::string>())};
}

Deletion Insert(pqxx::work& tx,
                const Target& target,
                const std::string& globs,
                const std::string& actor) {
  tx.exec_params(
      "INSERT INTO deletions (experiment_id, trial_id, uuid, globs, actor) "
      "SELECT experiment_id, trial_id, uuid, $3::jsonb, $4 FROM checkpoints "
      "WHERE trial_id = $1 AND uuid = $2 "
      "ON CONFLICT (trial_id, uuid, globs) WHERE state IN ('PENDING', 'RUNNING') DO NOTHING",
      target.trial.value(),
      target.uuid,
      globs,
      actor);
  return ToDeletion(tx.exec_params1(
      StrCat("SELECT ",
             kColumns,
             " FROM deletions d WHERE trial_id = $1 AND uuid = $2 AND globs = $3::jsonb "
             "ORDER BY id DESC LIMIT 1"),
      target.trial.value(),
      target.uuid,
      globs));
}

gc::Policy CurrentPolicy(pqxx::work& tx, ExperimentId experiment) {
  const auto one = [](std::string_view name) {
    return StrCat(
        "coalesce(r.", name, ", (s.config->'checkpoint_storage'->>'", name, "')::bigint)");
  };
  const pqxx::result rows = tx.exec_params(StrCat("SELECT ",
                                                  one("save_experiment_best"),
                                                  ", ",
                                                  one("save_trial_best"),
                                                  ", ",
                                                  one("save_trial_latest"),
                                                  " FROM submissions s LEFT JOIN retention r USING "
                                                  "(experiment_id) WHERE s.experiment_id = $1"),
                                           experiment.value());
  if (rows.empty()) throw Refused{NoExperiment(experiment)};
  return {rows[0][0].as<int64_t>(0), rows[0][1].as<int64_t>(1), rows[0][2].as<int64_t>(1)};
}

Retention Plan(pqxx::work& tx, ExperimentId experiment, const gc::Policy& policy) {
  const pqxx::result rows = tx.exec_params(
      StrCat(kWithWanted,
             "SELECT c.trial_id, c.uuid, c.steps_completed, "
             "(extract(epoch from c.reported_at) * 1000000)::bigint, m.value, t.ended_at IS NULL, ",
             kInUse,
             " IS NOT NULL, c.bytes, e.smaller_is_better FROM checkpoints c "
             "JOIN experiments e ON e.id = c.experiment_id JOIN trials t ON t.id = c.trial_id ",
             store::kCheckpointMetricJoin,
             "WHERE c.experiment_id = $1 AND c.state <> 'DELETED' AND NOT EXISTS "
             "(SELECT FROM deletions d WHERE d.trial_id = c.trial_id AND d.uuid = c.uuid AND "
             "d.globs = '[]' AND d.state IN ('PENDING', 'RUNNING'))"),
      experiment.value());
  std::vector<gc::Checkpoint> all;
  for (const auto& row : rows) {
    all.push_back({.trial = TrialId(row[0].as<int64_t>()),
                   .uuid = row[1].as<std::string>(),
                   .steps = row[2].as<int64_t>(),
                   .reported = row[3].as<int64_t>(),
                   .metric = row[4].is_null() ? std::nullopt : std::optional(row[4].as<double>()),
                   .trial_live = row[5].as<bool>(),
                   .referenced = row[6].as<bool>()});
  }
  Retention out{.policy = policy};
  const bool smaller = rows.empty() || rows[0][8].as<bool>();
  for (const size_t i : gc::PlanDeletion(all, policy, smaller)) {
    out.going.push_back({all[i].trial, all[i].uuid});
    out.bytes += rows[static_cast<pqxx::result::size_type>(i)][7].as<int64_t>();
  }
  out.kept = static_cast<int64_t>(all.size() - out.going.size());
  return out;
}

void InsertPlan(pqxx::work& tx, const Retention& plan, const std::string& actor) {
  for (const Target& target : plan.going) Insert(tx, target, "[]", actor);
}

Value Merged(Value base, const Value& patch) {
  if (!base.is_object()) base = Value::Object();
  for (const auto& [key, value] : patch.as_object()) {
    if (value.is_null()) {
      base.as_object().erase(key);
    } else if (value.is_object()) {
      base[key] = Merged(base[key], value);
    } else {
      base[key] = value;
    }
  }
  return base;
}

std::vector<Namesake> Namesakes(pqxx::work& tx, const std::string& uuid) {
  std::vector<Namesake> out;
  for (const auto& row :
       tx.exec_params("SELECT trial_id, experiment_id, directory FROM checkpoints "
                      "WHERE uuid = $1 AND state <> 'DELETED' ORDER BY owned_since, trial_id",
                      uuid)) {
    out.push_back({TrialId(row[0].as<int64_t>()),
                   ExperimentId(row[1].as<int64_t>()),
                   row[2].as<std::string>()});
  }
  return out;
}

// The checkpoint's row as it is after the files are gone.
void MarkGone(pqxx::work& tx, const Job& job, const storage::FileMap& left) {
  if (!job.deletion.globs.empty() && left == job.files) return;  // nothing matched
  Value files = Value::Object();
  int64_t bytes = 0;
  for (const auto& [path, size] : left) {
    files[path] = size;
    bytes += size;
  }
  tx.exec_params(
      "UPDATE checkpoints SET state = $3, files = $4::jsonb, bytes = $5 "
      "WHERE trial_id = $1 AND uuid = $2",
      job.deletion.target.trial.value(),
      job.deletion.target.uuid,
      left.empty() ? "DELETED" : "PARTIALLY_DELETED",
      files.ToJson(),
      bytes);
}

}  // namespace

// One process writes, so its memory is enough.
class Deletions::Holds {
 public:
  using Keys = std::vector<std::pair<int64_t, std::string>>;

  void Add(const Keys& keys) {
    const MutexLock lock(mutex_);
    held_.insert(keys.begin(), keys.end());
  }
  void Drop(const Keys& keys) {
    const MutexLock lock(mutex_);
    for (const auto& key : keys) held_.erase(held_.find(key));
  }
  bool Has(const Target& target) {
    const MutexLock lock(mutex_);
    return held_.contains({target.trial.value(), target.uuid});
  }

 private:
  Mutex mutex_;
  std::multiset<std::pair<int64_t, std::string>> held_ ABSL_GUARDED_BY(mutex_);
};

Deletions::Deletions(const std::string& conninfo, int64_t epoch)
    : epoch_(epoch),
      pool_(std::make_unique<pg::Pool>(conninfo, kConnectionsMax)),
      holds_(std::make_shared<Holds>()) {}
Deletions::~Deletions() = default;

absl::StatusOr<std::vector<Deletion>> Deletions::Request(const std::vector<Target>& targets,
                                                         const std::vector<std::string>& globs,
                                                         const std::string& actor) {
  for (const std::string& glob : globs) DET_RETURN_IF_ERROR(storage::CheckGlob(glob));
  std::vector<Deletion> out;
  DET_RETURN_IF_ERROR(WriteFenced(*pool_, epoch_, [&](pqxx::work& tx) {
    out.clear();
    for (const Target& target : targets) {
      CheckMayGo(tx, target);
      out.push_back(Insert(tx, target, ToJson(globs), actor));
    }
  }));
  Wake();
  return out;
}

absl::Status Deletions::Check(const std::vector<Target>& targets,
                              const std::vector<std::string>& globs) {
  for (const std::string& glob : globs) DET_RETURN_IF_ERROR(storage::CheckGlob(glob));
  return ReadRefused(*pool_, [&](pqxx::work& tx) {
    for (const Target& target : targets) CheckMayGo(tx, target);
  });
}

absl::StatusOr<std::vector<Deletion>> Deletions::RequestAll(ExperimentId experiment,
                                                            const std::string& actor) {
  std::vector<Deletion> out;
  DET_RETURN_IF_ERROR(WriteFenced(*pool_, epoch_, [&](pqxx::work& tx) {
    out.clear();
    const pqxx::result rows =
        tx.exec_params(StrCat(kWithWanted,
                              "SELECT c.trial_id, c.uuid, ",
                              kInUse,
                              " FROM checkpoints c JOIN trials t ON t.id = c.trial_id "
                              "WHERE c.experiment_id = $1 AND c.state <> 'DELETED'"),
                       experiment.value());
    for (const auto& row : rows) {
      const Target target{TrialId(row[0].as<int64_t>()), row[1].as<std::string>()};
      if (!row[2].is_null()) throw Refused{InUse(target, row[2].as<std::string>())};
      out.push_back(Insert(tx, target, "[]", actor));
    }
  }));
  Wake();
  return out;
}

absl::StatusOr<Standing> Deletions::Of(ExperimentId experiment) {
  Standing out;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const pqxx::result rows = tx.exec_params(
        "SELECT DISTINCT ON (d.trial_id, d.uuid) d.state, d.reason FROM deletions d "
        "JOIN checkpoints c ON c.trial_id = d.trial_id AND c.uuid = d.uuid "
        "WHERE d.experiment_id = $1 AND c.state <> 'DELETED' "
        "ORDER BY d.trial_id, d.uuid, d.id DESC",
        experiment.value());
    out = {};
    for (const auto& row : rows) {
      const auto state = row[0].as<std::string>();
      if (state == "FAILED" && out.failed++ == 0) out.first_reason = row[1].as<std::string>();
      if (state == "PENDING" || state == "RUNNING") ++out.open;
    }
  }));
  return out;
}

absl::StatusOr<std::vector<Deletion>> Deletions::ByIds(const std::vector<int64_t>& ids) {
  std::vector<Deletion> out;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    out = ToDeletions(tx.exec_params(
        StrCat(
            "SELECT ", kColumns, " FROM deletions d WHERE d.id = ANY($1::bigint[]) ORDER BY d.id"),
        pg::ArrayOf(ids)));
  }));
  return out;
}

absl::StatusOr<std::vector<Deletion>> Deletions::ByExperiment(ExperimentId experiment,
                                                              int64_t limit) {
  std::vector<Deletion> out;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    out = ToDeletions(tx.exec_params(
        StrCat("SELECT ",
               kColumns,
               " FROM deletions d WHERE d.experiment_id = $1 ORDER BY d.id DESC LIMIT $2"),
        experiment.value(),
        limit));
  }));
  return out;
}

absl::StatusOr<Retention> Deletions::Preview(ExperimentId experiment,
                                             const std::optional<gc::Policy>& instead) {
  Retention out;
  DET_RETURN_IF_ERROR(ReadRefused(*pool_, [&](pqxx::work& tx) {
    const gc::Policy current = CurrentPolicy(tx, experiment);
    out = Plan(tx, experiment, instead.value_or(current));
  }));
  return out;
}

absl::StatusOr<Retention> Deletions::SetPolicy(ExperimentId experiment,
                                               const gc::Policy& policy,
                                               const std::string& actor) {
  Retention out;
  DET_RETURN_IF_ERROR(WriteFenced(*pool_, epoch_, [&](pqxx::work& tx) {
    CurrentPolicy(tx, experiment);  // is there one?
    tx.exec_params(
        "INSERT INTO retention (experiment_id, save_experiment_best, save_trial_best, "
        "save_trial_latest, actor) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (experiment_id) "
        "DO UPDATE SET save_experiment_best = $2, save_trial_best = $3, save_trial_latest = $4, "
        "actor = $5, set_at = now()",
        experiment.value(),
        policy.save_experiment_best,
        policy.save_trial_best,
        policy.save_trial_latest,
        actor);
    out = Plan(tx, experiment, policy);
    InsertPlan(tx, out, actor);
  }));
  Wake();
  return out;
}

absl::StatusOr<bool> Deletions::CollectOne() {
  constexpr std::string_view kNext =
      "SELECT id FROM experiments WHERE ended_at IS NOT NULL AND "
      "(collected_at IS NULL OR collected_at < ended_at) ORDER BY id LIMIT 1";
  // Mostly there is none: found out without a write.
  bool any = false;
  DET_RETURN_IF_ERROR(
      pool_->Read([&](pqxx::work& tx) { any = !tx.exec(std::string(kNext)).empty(); }));
  if (!any) return false;
  DET_RETURN_IF_ERROR(WriteFenced(*pool_, epoch_, [&](pqxx::work& tx) {
    const pqxx::result rows = tx.exec(StrCat(kNext, " FOR NO KEY UPDATE"));
    if (rows.empty()) return;
    const ExperimentId experiment(rows[0][0].as<int64_t>());
    InsertPlan(tx, Plan(tx, experiment, CurrentPolicy(tx, experiment)), "master");
    tx.exec_params(
        "UPDATE experiments SET collected_at = greatest(clock_timestamp(), ended_at) WHERE id = $1",
        experiment.value());
  }));
  return true;
}

absl::StatusOr<Value> Deletions::PatchMetadata(const Target& target, const Value& patch) {
  Value merged;
  DET_RETURN_IF_ERROR(WriteFenced(*pool_, epoch_, [&](pqxx::work& tx) {
    const pqxx::result rows = tx.exec_params(
        "SELECT metadata FROM checkpoints WHERE trial_id = $1 AND uuid = $2 FOR NO KEY UPDATE",
        target.trial.value(),
        target.uuid);
    if (rows.empty()) {
      throw Refused{Error(absl::StatusCode::kNotFound,
                          "CHECKPOINT_NOT_FOUND",
                          StrCat("checkpoint ", NameOf(target), " does not exist"))};
    }
    merged = Merged(ParseJson(rows[0][0].as<std::string>()).value_or(Value()), patch);
    tx.exec_params("UPDATE checkpoints SET metadata = $3::jsonb WHERE trial_id = $1 AND uuid = $2",
                   target.trial.value(),
                   target.uuid,
                   pg::StorableJson(merged.ToJson()));
  }));
  return merged;
}

// First held, then looked at; Claim does it the other way round, so one of the two sees the other.
absl::StatusOr<std::shared_ptr<void>> Deletions::Hold(const std::vector<Target>& targets) {
  Holds::Keys keys;
  Value wanted = Value::Array();
  for (const Target& target : targets) {
    keys.emplace_back(target.trial.value(), target.uuid);
    wanted.as_array().push_back(
        Value::Object{{"trial_id", target.trial.value()}, {"uuid", target.uuid}});
  }
  holds_->Add(keys);
  const std::shared_ptr<void> hold(
      nullptr, [holds = holds_, keys = std::move(keys)](void*) { holds->Drop(keys); });
  std::string going;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    going.clear();
    for (const auto& row : tx.exec_params(
             "SELECT w.trial_id || '/' || w.uuid || ' is ' || coalesce(nullif(c.state, "
             "'COMPLETED'), 'being deleted') FROM json_to_recordset($1::json) AS w(trial_id "
             "bigint, uuid text) LEFT JOIN checkpoints c USING (trial_id, uuid) "
             "WHERE c.state IS DISTINCT FROM 'COMPLETED' OR EXISTS (SELECT FROM deletions d WHERE "
             "d.trial_id = w.trial_id AND d.uuid = w.uuid AND d.state IN ('PENDING', 'RUNNING')) "
             "LIMIT 1",
             wanted.ToJson())) {
      going = row[0].as<std::string>();
    }
  }));
  if (going.empty()) return hold;
  return Error(absl::StatusCode::kFailedPrecondition,
               "CHECKPOINT_DELETED",
               StrCat("checkpoint ", going),
               "det c list --trial ID shows those that are left");
}

absl::StatusOr<std::optional<Job>> Deletions::Claim() {
  constexpr std::string_view kDue =
      "SELECT id FROM deletions WHERE state IN ('PENDING', 'RUNNING') AND due_at <= now() "
      "ORDER BY due_at, id LIMIT 1";
  bool any = false;
  DET_RETURN_IF_ERROR(
      pool_->Read([&](pqxx::work& tx) { any = !tx.exec(std::string(kDue)).empty(); }));
  std::optional<Job> job;
  if (!any) return job;
  DET_RETURN_IF_ERROR(WriteFenced(*pool_, epoch_, [&](pqxx::work& tx) {
    const pqxx::result rows =
        tx.exec(StrCat("UPDATE deletions d SET state = 'RUNNING', attempts = "
                       "attempts + 1 WHERE id = (",
                       kDue,
                       ") RETURNING ",
                       kColumns));
    if (rows.empty()) return;
    job.emplace();
    job->deletion = ToDeletion(rows[0]);
    const pqxx::row more = tx.exec_params1(
        StrCat(kWithWanted,
               "SELECT s.config->'checkpoint_storage', c.files, ",
               kInUse,
               ", c.directory, (SELECT e.owner FROM experiments e WHERE e.id = c.experiment_id), "
               "extract(epoch from t.created_at) "
               "FROM checkpoints c JOIN trials t ON t.id = c.trial_id "
               "JOIN submissions s ON s.experiment_id = c.experiment_id "
               "WHERE c.trial_id = $1 AND c.uuid = $2"),
        job->deletion.target.trial.value(),
        job->deletion.target.uuid);
    job->storage_json = more[0].as<std::string>("null");
    job->files = Files(more[1].as<std::string>());
    job->in_use = more[2].as<std::string>("");
    job->directory = more[3].as<std::string>("");
    job->namesakes = Namesakes(tx, job->deletion.target.uuid);
    job->owner = more[4].as<std::string>("");
    job->since = absl::UnixEpoch() + absl::Seconds(more[5].as<double>());
  }));
  if (job.has_value()) job->held = holds_->Has(job->deletion.target);
  return job;
}

absl::Status Deletions::Finish(const Job& job, const Outcome& outcome) {
  return WriteFenced(*pool_, epoch_, [&](pqxx::work& tx) {
    if (outcome.kind == Outcome::Kind::kAgain) {
      tx.exec_params(
          "UPDATE deletions SET state = 'PENDING', reason = $2, due_at = now() + $3 * interval '1 "
          "second' WHERE id = $1",
          job.deletion.id,
          pg::StorableText(outcome.reason),
          absl::ToDoubleSeconds(outcome.pause));
      return;
    }
    const bool done = outcome.kind == Outcome::Kind::kDone;
    if (done) MarkGone(tx, job, outcome.left);
    tx.exec_params("UPDATE deletions SET state = $2, reason = $3, ended_at = now() WHERE id = $1",
                   job.deletion.id,
                   done ? "DONE" : "FAILED",
                   pg::StorableText(outcome.reason));
  });
}

}  // namespace det::deletion
