#include "master/store/read_store.h"

#include <algorithm>
#include <charconv>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "master/store/checkpoint_sql.h"
#include "master/store/row_fields.h"
#include "master/store/row_reader.h"

namespace det::store {
namespace {

absl::Status NotFound(std::string_view kind, std::string_view id) {
  std::string reason;
  for (const char c : kind) reason.push_back(static_cast<char>(std::toupper(c)));
  return Error(absl::StatusCode::kNotFound,
               StrCat(reason, "_NOT_FOUND"),
               StrCat(kind, " ", id, " does not exist"));
}

absl::Status Deleted(const ExperimentRow& row) {
  const std::string when =
      absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", row.reason.since, absl::UTCTimeZone());
  return Error(absl::StatusCode::kNotFound,
               "EXPERIMENT_DELETED",
               StrCat("experiment ", row.id.value(), " was ", row.reason.text, " at ", when));
}

constexpr int64_t kTrialsNamedMax = 10;
// Of the beginning of a checkpoint's uuid.
constexpr size_t kPrefixBytesMin = 4;

absl::Status Ambiguous(const std::string& uuid, const std::vector<CheckpointRow>& rows) {
  if (rows.front().uuid != rows.back().uuid) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "AMBIGUOUS_CHECKPOINT",
                 StrCat("the checkpoints ",
                        rows.front().uuid,
                        rows.size() > 2 ? ", ..., " : " and ",
                        rows.back().uuid,
                        " begin with ",
                        uuid),
                 "write some more of it");
  }
  std::string trials;
  for (const CheckpointRow& row : rows)
    StrAppend(trials, trials.empty() ? "" : ", ", row.trial.value());
  const bool more = static_cast<int64_t>(rows.size()) == kTrialsNamedMax;
  return Error(absl::StatusCode::kFailedPrecondition,
               "AMBIGUOUS_CHECKPOINT",
               StrCat("the trials ", trials, more ? ", ..." : "", " each have a checkpoint ", uuid),
               StrCat("name one as TRIAL/UUID: ", rows.front().trial.value(), "/", uuid));
}

class Fields : public RowFields {
 public:
  using RowFields::RowFields;
  ReasonRow Reason() {
    ReasonRow reason;
    reason.code = Text();
    reason.text = Text();
    reason.actor = Text();
    reason.since = Time();
    return reason;
  }
};

}  // namespace

std::string ExperimentColumns() {
  return StrCat(
      "id, name, coalesce((SELECT u.name FROM users u WHERE u.handle = experiments.owner), owner), "
      "state, reason_code, reason_text, reason_actor, ",
      Micros("reason_since"),
      ", context, searcher, metric, smaller_is_better, pool, priority, progress, trials_created, "
      "trials_closed, best_trial, best_metric, best_steps, parent_id, ",
      Micros("created_at"),
      ", ",
      Micros("ended_at"),
      ", coalesce((SELECT w.name FROM workspaces w WHERE w.id = workspace_id), ''), "
      "coalesce((SELECT p.name FROM projects p WHERE p.id = project_id), ''), "
      "array_to_string(labels, chr(31)), archived, description");
}

// Labels have no control characters.
std::vector<std::string> SplitLabels(const std::string& text) {
  std::vector<std::string> labels;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\x1f', at), text.size());
    labels.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return labels;
}

ExperimentRow ToExperiment(const pqxx::row& row) {
  Fields f(row);
  ExperimentRow e;
  e.id = ExperimentId(f.Int());
  e.name = f.Text();
  e.owner = f.Text();
  e.state = f.Text();
  e.reason = f.Reason();
  e.context = f.Text();
  e.searcher = f.Text();
  e.metric = f.Text();
  e.smaller_is_better = f.Bool();
  e.pool = f.Text();
  e.priority = f.Int();
  e.progress = f.Double();
  e.trials_created = f.Int();
  e.trials_closed = f.Int();
  if (const auto best = f.MaybeInt()) e.best_trial = TrialId(*best);
  e.best_metric = f.MaybeDouble();
  e.best_steps = f.Int();
  if (const auto parent = f.MaybeInt()) e.parent = ExperimentId(*parent);
  e.created_at = f.Time();
  e.ended_at = f.MaybeTime();
  e.workspace = f.Text();
  e.project = f.Text();
  e.labels = SplitLabels(f.Text());
  e.archived = f.Bool();
  e.description = f.Text();
  return e;
}

std::string TrialSelect() {
  return StrCat(
      "SELECT t.id, t.experiment_id, t.hparams, t.seed, t.state, t.reason_code, t.reason_text, "
      "t.reason_actor, ",
      Micros("t.reason_since"),
      ", t.restarts, t.infrastructure_restarts, t.runs, t.best_metric, t.latest_metric, "
      "t.latest_steps, t.latest_checkpoint, t.log_policy, ",
      Micros("t.created_at"),
      ", ",
      Micros("t.ended_at"),
      ", a.agent, (SELECT string_agg(s, ',') FROM jsonb_array_elements_text(a.slots) AS s), "
      "l.progress, l.training, l.training_steps "
      "FROM trials t LEFT JOIN allocations a ON a.trial_id = t.id AND a.ended_at IS NULL "
      "LEFT JOIN trial_live l ON l.trial_id = t.id ");
}

namespace {

std::vector<int64_t> SplitInts(const std::string& text) {
  std::vector<int64_t> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find(',', at);
    if (end == std::string::npos) end = text.size();
    out.push_back(std::stoll(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

}  // namespace

TrialRow ToTrial(const pqxx::row& row) {
  Fields f(row);
  TrialRow t;
  t.id = TrialId(f.Int());
  t.experiment = ExperimentId(f.Int());
  t.hparams = f.Text();
  t.seed = f.Int();
  t.state = f.Text();
  t.reason = f.Reason();
  t.restarts = f.Int();
  t.infrastructure_restarts = f.Int();
  t.runs = f.Int();
  t.best_metric = f.MaybeDouble();
  t.latest_metric = f.MaybeDouble();
  t.latest_steps = f.Int();
  t.latest_checkpoint = f.Text();
  t.log_policy = f.Text();
  t.created_at = f.Time();
  t.ended_at = f.MaybeTime();
  t.agent = f.Text();
  t.slots = SplitInts(f.Text());
  t.progress = f.Double();
  t.training = f.Text();
  t.training_steps = f.Int();
  return t;
}

std::string CheckpointSelect() {
  return StrCat(
      "SELECT c.uuid, c.trial_id, c.experiment_id, c.steps_completed, c.bytes, c.files, "
      "c.metadata, "
      "c.directory, c.state, ",
      Micros("c.reported_at"),
      ", m.value FROM checkpoints c JOIN experiments e ON e.id = c.experiment_id ",
      kCheckpointMetricJoin);
}

CheckpointRow ToCheckpoint(const pqxx::row& row) {
  Fields f(row);
  CheckpointRow c;
  c.uuid = f.Text();
  c.trial = TrialId(f.Int());
  c.experiment = ExperimentId(f.Int());
  c.steps_completed = f.Int();
  c.bytes = f.Int();
  c.files = f.Text();
  c.metadata = f.Text();
  c.directory = f.Text();
  c.state = f.Text();
  c.reported_at = f.Time();
  c.metric = f.MaybeDouble();
  return c;
}

namespace {

TransitionRow ToTransition(const pqxx::row& row) {
  Fields f(row);
  TransitionRow t;
  t.seq = f.Int();
  t.at = f.Time();
  t.kind = f.Text();
  t.subject = f.Text();
  t.to_state = f.Text();
  t.code = f.Text();
  t.text = f.Text();
  t.actor = f.Text();
  return t;
}

template <class T>
using Rows = std::vector<T>;

template <class T, class Convert>
void Collect(const pqxx::result& result, Convert convert, Rows<T>* out) {
  out->clear();
  for (const auto& row : result) out->push_back(convert(row));
}

template <class T>
absl::StatusOr<T> Only(absl::StatusOr<Rows<T>> rows, std::string_view kind, std::string_view id) {
  DET_RETURN_IF_ERROR(rows.status());
  if (rows->empty()) return NotFound(kind, id);
  return std::move((*rows)[0]);
}

}  // namespace

ReadStore::ReadStore(const std::string& conninfo, int connections_max)
    : pool_(std::make_unique<pg::Pool>(conninfo, connections_max)) {}
ReadStore::~ReadStore() = default;

absl::StatusOr<std::string> ReadStore::ClusterId() {
  std::string id;
  DET_RETURN_IF_ERROR(pool_->Read(
      [&](pqxx::work& tx) { id = tx.exec1("SELECT id::text FROM cluster")[0].as<std::string>(); }));
  return id;
}

absl::StatusOr<ReadStore::Health> ReadStore::Look() {
  Health health;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const absl::Time begin = absl::Now();
    tx.exec1("SELECT 1");
    health.latency = absl::Now() - begin;
    const auto row = tx.exec1(
        "SELECT pg_database_size(current_database()), CASE WHEN pg_has_role(current_user, "
        "'pg_read_all_settings', 'MEMBER') THEN current_setting('data_directory', true) END");
    health.bytes = row[0].as<int64_t>();
    health.data_directory = row[1].as<std::string>(std::string());
  }));
  return health;
}

absl::StatusOr<std::map<ExperimentId, std::string>> ReadStore::Names(
    const std::vector<ExperimentId>& ids) {
  std::vector<int64_t> numbers;
  for (const ExperimentId id : ids) numbers.push_back(id.value());
  std::map<ExperimentId, std::string> names;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    names.clear();
    for (const auto& row :
         tx.exec_params("SELECT id, name FROM experiments WHERE id = ANY ($1::bigint[])",
                        pg::ArrayOf(numbers)))
      names[ExperimentId(row[0].as<int64_t>())] = row[1].as<std::string>();
  }));
  return names;
}

absl::StatusOr<ExperimentRow> ReadStore::Experiment(ExperimentId id) {
  Rows<ExperimentRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(
        tx.exec_params(StrCat("SELECT ", ExperimentColumns(), " FROM experiments WHERE id = $1"),
                       id.value()),
        ToExperiment,
        &rows);
  }));
  DET_ASSIGN_OR_RETURN(ExperimentRow row,
                       Only<ExperimentRow>(std::move(rows), "experiment", id.ToString()));
  if (row.state == "DELETED") return Deleted(row);
  return row;
}

absl::StatusOr<std::string> ReadStore::Submission(ExperimentId id, const char* column) {
  Rows<std::string> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(
        tx.exec_params(StrCat("SELECT ", column, " FROM submissions WHERE experiment_id = $1"),
                       id.value()),
        [](const pqxx::row& row) { return row[0].as<std::string>(); },
        &rows);
  }));
  return Only<std::string>(std::move(rows), "experiment", id.ToString());
}

absl::StatusOr<std::string> ReadStore::EffectiveConfig(ExperimentId id) {
  return Submission(id, "config");
}

absl::StatusOr<std::string> ReadStore::SubmittedConfig(ExperimentId id) {
  return Submission(id, "config_text");
}

absl::StatusOr<ExperimentDetails> ReadStore::Details(ExperimentId id) {
  Rows<ExperimentDetails> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(
        tx.exec_params("SELECT e.notes, s.git_commit, s.git_branch, s.git_dirty "
                       "FROM experiments e LEFT JOIN submissions s ON s.experiment_id = e.id "
                       "WHERE e.id = $1",
                       id.value()),
        [](const pqxx::row& row) {
          Fields f(row);
          ExperimentDetails details;
          details.notes = f.Text();
          details.git_commit = f.Text();
          details.git_branch = f.Text();
          details.git_dirty = f.Bool();
          return details;
        },
        &rows);
  }));
  return Only<ExperimentDetails>(std::move(rows), "experiment", id.ToString());
}

absl::StatusOr<TrialRow> ReadStore::Trial(TrialId id) {
  Rows<TrialRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(tx.exec_params(StrCat(TrialSelect(), "WHERE t.id = $1"), id.value()), ToTrial, &rows);
  }));
  return Only<TrialRow>(std::move(rows), "trial", id.ToString());
}

absl::StatusOr<std::vector<TrialRow>> ReadStore::Trials(const TrialFilter& filter) {
  Rows<TrialRow> rows;
  // NaN sorts above every number in PostgreSQL, so a NaN best is last in either direction.
  const std::string by_best =
      "ORDER BY (SELECT smaller_is_better FROM experiments WHERE id = $1), t.best_metric IS NULL, "
      "t.best_metric = 'NaN', CASE WHEN (SELECT smaller_is_better FROM experiments WHERE id = $1) "
      "THEN t.best_metric ELSE -t.best_metric END, t.id ";
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(tx.exec_params(StrCat(TrialSelect(),
                                  "WHERE t.experiment_id = $1 ",
                                  filter.only_running ? "AND a.id IS NOT NULL " : "",
                                  filter.by_best ? by_best : "ORDER BY t.id ",
                                  "LIMIT $2 OFFSET $3"),
                           filter.experiment.value(),
                           filter.limit,
                           filter.offset),
            ToTrial,
            &rows);
  }));
  return rows;
}

absl::StatusOr<int64_t> ReadStore::CountTrials(ExperimentId experiment) {
  int64_t count = 0;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    count = tx.exec_params1("SELECT count(*) FROM trials WHERE experiment_id = $1",
                            experiment.value())[0]
                .as<int64_t>();
  }));
  return count;
}

absl::StatusOr<std::vector<TransitionRow>> ReadStore::History(const std::string& kind,
                                                              const std::string& id,
                                                              int64_t limit) {
  Rows<TransitionRow> rows;
  const std::string columns =
      StrCat("seq, ", Micros("at"), " AS at_us, kind, subject_id, to_state, code, text, actor");
  const std::string of_trial =
      kind == "trial" ? "OR (kind = 'allocation' AND subject_id IN "
                        "(SELECT id::text FROM allocations WHERE trial_id = $2::bigint)) "
                      : "";
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(tx.exec_params(StrCat("SELECT * FROM (SELECT ",
                                  columns,
                                  " FROM transitions WHERE (kind = $1 AND subject_id = $2::text) ",
                                  of_trial,
                                  "ORDER BY seq DESC LIMIT $3) h ORDER BY seq"),
                           kind,
                           id,
                           limit),
            ToTransition,
            &rows);
  }));
  return rows;
}

absl::StatusOr<CheckpointRow> ReadStore::Checkpoint(const std::string& name,
                                                    const Visible& workspaces) {
  // A uuid has no "/": agents and the core refuse it.
  const size_t slash = name.find('/');
  const bool of_trial = slash != std::string::npos;
  const std::string uuid = of_trial ? name.substr(slash + 1) : name;
  int64_t trial = 0;
  if (of_trial) {
    const char* end = name.data() + slash;
    const auto read = std::from_chars(name.data(), end, trial);
    if (read.ec != std::errc() || read.ptr != end) return NotFound("checkpoint", name);
  }
  std::vector<int64_t> visible;
  for (const WorkspaceId id : workspaces.value_or(std::vector<WorkspaceId>())) {
    visible.push_back(id.value());
  }
  Rows<CheckpointRow> rows;
  const auto find = [&](pqxx::work& tx, std::string_view condition) {
    Collect(tx.exec_params(StrCat(CheckpointSelect(),
                                  "WHERE c.uuid ",
                                  condition,
                                  " $1 AND ($2 OR c.trial_id = $3) "
                                  "AND ($5 OR e.workspace_id = ANY ($6::bigint[])) "
                                  "ORDER BY c.trial_id LIMIT $4"),
                           uuid,
                           !of_trial,
                           trial,
                           kTrialsNamedMax,
                           !workspaces.has_value(),
                           pg::ArrayOf(visible)),
            ToCheckpoint,
            &rows);
  };
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    find(tx, "=");
    if (rows.empty() && uuid.size() >= kPrefixBytesMin) find(tx, "^@");
  }));
  if (rows.size() > 1) return Ambiguous(uuid, rows);
  return Only<CheckpointRow>(std::move(rows), "checkpoint", name);
}

absl::StatusOr<std::string> ReadStore::LatestCheckpoint(TrialId trial) {
  DET_ASSIGN_OR_RETURN(const TrialRow row, Trial(trial));
  return row.latest_checkpoint;
}

}  // namespace det::store
