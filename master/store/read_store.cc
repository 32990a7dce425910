#include "master/store/read_store.h"

#include <algorithm>
#include <charconv>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"

namespace det::store {
namespace {

absl::Status NotFound(std::string_view kind, std::string_view id) {
  std::string reason;
  for (const char c : kind) reason.push_back(static_cast<char>(std::toupper(c)));
  return Error(absl::StatusCode::kNotFound,
               StrCat(reason, "_NOT_FOUND"),
               StrCat(kind, " ", id, " does not exist"));
}

constexpr int64_t kTrialsNamedMax = 10;

absl::Status Ambiguous(const std::string& uuid, const std::vector<CheckpointRow>& rows) {
  std::string trials;
  for (const CheckpointRow& row : rows)
    StrAppend(trials, trials.empty() ? "" : ", ", row.trial.value());
  const bool more = static_cast<int64_t>(rows.size()) == kTrialsNamedMax;
  return Error(absl::StatusCode::kFailedPrecondition,
               "AMBIGUOUS_CHECKPOINT",
               StrCat("the trials ", trials, more ? ", ..." : "", " each have a checkpoint ", uuid),
               StrCat("name one as TRIAL/UUID: ", rows.front().trial.value(), "/", uuid));
}

// Times travel as microseconds since 1970: exact, and free of formats.
std::string Micros(std::string_view column) {
  return StrCat("(extract(epoch from ", column, ") * 1000000)::bigint");
}

// Reads a row's fields one after the other.
class Fields {
 public:
  explicit Fields(const pqxx::row& row) : row_(row) {}
  std::string Text() { return row_[next_++].as<std::string>(std::string()); }
  int64_t Int() { return row_[next_++].as<int64_t>(0); }
  bool Bool() { return row_[next_++].as<bool>(false); }
  double Double() { return row_[next_++].as<double>(0); }
  absl::Time Time() { return absl::FromUnixMicros(Int()); }
  std::optional<int64_t> MaybeInt() {
    return row_[next_].is_null() ? (++next_, std::nullopt) : std::optional(Int());
  }
  std::optional<double> MaybeDouble() {
    return row_[next_].is_null() ? (++next_, std::nullopt) : std::optional(Double());
  }
  std::optional<absl::Time> MaybeTime() {
    return row_[next_].is_null() ? (++next_, std::nullopt) : std::optional(Time());
  }
  ReasonRow Reason() {
    ReasonRow reason;
    reason.code = Text();
    reason.text = Text();
    reason.actor = Text();
    reason.since = Time();
    return reason;
  }

 private:
  const pqxx::row row_;
  pqxx::row::size_type next_ = 0;
};

std::string ExperimentColumns() {
  return StrCat(
      "id, name, coalesce((SELECT u.name FROM users u WHERE u.handle = experiments.owner), owner), "
      "state, reason_code, reason_text, reason_actor, ",
      Micros("reason_since"),
      ", context, searcher, metric, smaller_is_better, pool, priority, progress, trials_created, "
      "trials_closed, best_trial, best_metric, best_steps, ",
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
      "t.latest_steps, t.latest_checkpoint, ",
      Micros("t.created_at"),
      ", ",
      Micros("t.ended_at"),
      ", a.agent, (SELECT string_agg(s, ',') FROM jsonb_array_elements_text(a.slots) AS s), "
      "l.progress, l.training, l.training_steps "
      "FROM trials t LEFT JOIN allocations a ON a.trial_id = t.id AND a.ended_at IS NULL "
      "LEFT JOIN trial_live l ON l.trial_id = t.id ");
}

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
      ", m.value FROM checkpoints c JOIN experiments e ON e.id = c.experiment_id "
      "LEFT JOIN LATERAL (SELECT value FROM metrics WHERE trial_id = c.trial_id AND grp = "
      "'validation' "
      "AND name = e.metric AND steps = c.steps_completed ORDER BY received_at DESC LIMIT 1) m ON "
      "true ");
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

LogRow ToLog(const pqxx::row& row) {
  Fields f(row);
  LogRow l;
  l.allocation = AllocationId(f.Int());
  l.run = f.Int();
  l.rank = f.Int();
  l.seq = f.Int();
  l.note = f.Int();
  l.at = f.Time();
  l.source = static_cast<int>(f.Int());
  l.line = pg::FromBytea(f.Text());
  l.partial = f.Bool();
  l.dropped = f.Int();
  return l;
}

MetricRow ToMetric(const pqxx::row& row) {
  Fields f(row);
  MetricRow m;
  m.place.allocation = f.Int();
  m.place.stream = f.Int();
  m.place.seq = f.Int();
  m.group = f.Text();
  m.name = f.Text();
  m.place.name = m.name;
  m.steps = f.Int();
  m.value = f.Double();
  m.other = f.Text();
  m.at = f.Time();
  return m;
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

// A page is read in the order of an index and no further. The planner, who takes one trial's rows
// for few, would read and sort all that is left of them for each page.
void ReadInOrder(pqxx::work& tx) {
  tx.exec(
      "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; "
      "SET LOCAL enable_sort = off");
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

absl::StatusOr<ExperimentRow> ReadStore::Experiment(ExperimentId id) {
  Rows<ExperimentRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(
        tx.exec_params(StrCat("SELECT ", ExperimentColumns(), " FROM experiments WHERE id = $1"),
                       id.value()),
        ToExperiment,
        &rows);
  }));
  return Only<ExperimentRow>(std::move(rows), "experiment", id.ToString());
}

absl::StatusOr<std::string> ReadStore::EffectiveConfig(ExperimentId id) {
  Rows<std::string> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(
        tx.exec_params("SELECT config FROM submissions WHERE experiment_id = $1", id.value()),
        [](const pqxx::row& row) { return row[0].as<std::string>(); },
        &rows);
  }));
  return Only<std::string>(std::move(rows), "experiment", id.ToString());
}

absl::StatusOr<std::vector<ExperimentRow>> ReadStore::Experiments(const ExperimentFilter& filter) {
  Rows<ExperimentRow> rows;
  // Conditions that are not asked for are left out, so that an index can serve the others.
  std::string where = "($1 = 0 OR id < $1)";
  StrAppend(where, filter.owner.empty() ? " AND $2::text = ''" : " AND owner = $2");
  StrAppend(where, filter.archived ? "" : " AND NOT archived");
  StrAppend(where,
            filter.workspaces.has_value() ? " AND workspace_id = ANY ($3::bigint[])"
                                          : " AND $3::bigint[] IS NOT NULL");
  StrAppend(where, filter.project.valid() ? " AND project_id = $4" : " AND $4 = 0");
  StrAppend(where,
            filter.labels.empty() ? " AND $5::text[] IS NOT NULL" : " AND labels @> $5::text[]");
  std::vector<int64_t> workspaces;
  for (const WorkspaceId id : filter.workspaces.value_or(std::vector<WorkspaceId>()))
    workspaces.push_back(id.value());
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(tx.exec_params(StrCat("SELECT ",
                                  ExperimentColumns(),
                                  " FROM experiments WHERE ",
                                  where,
                                  " ORDER BY id DESC LIMIT $6"),
                           filter.before_id,
                           filter.owner,
                           pg::ArrayOf(workspaces),
                           filter.project.value(),
                           pg::ArrayOf(filter.labels),
                           filter.limit),
            ToExperiment,
            &rows);
  }));
  return rows;
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

absl::StatusOr<std::vector<CheckpointRow>> ReadStore::CheckpointsOf(ExperimentId experiment,
                                                                    int64_t limit) {
  Rows<CheckpointRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(tx.exec_params(
                StrCat(CheckpointSelect(),
                       "WHERE c.experiment_id = $1 ORDER BY m.value IS NULL, m.value = 'NaN', "
                       "CASE WHEN e.smaller_is_better THEN m.value ELSE -m.value END, "
                       "c.steps_completed DESC, c.uuid LIMIT $2"),
                experiment.value(),
                limit),
            ToCheckpoint,
            &rows);
  }));
  return rows;
}

absl::StatusOr<std::vector<CheckpointRow>> ReadStore::CheckpointsOf(TrialId trial, int64_t limit) {
  Rows<CheckpointRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(tx.exec_params(StrCat(CheckpointSelect(),
                                  "WHERE c.trial_id = $1 ORDER BY c.steps_completed DESC, "
                                  "c.reported_at DESC LIMIT $2"),
                           trial.value(),
                           limit),
            ToCheckpoint,
            &rows);
  }));
  return rows;
}

absl::StatusOr<CheckpointRow> ReadStore::Checkpoint(const std::string& name) {
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
  Rows<CheckpointRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(tx.exec_params(StrCat(CheckpointSelect(),
                                  "WHERE c.uuid = $1 AND ($2 OR c.trial_id = $3) "
                                  "ORDER BY c.trial_id LIMIT $4"),
                           uuid,
                           !of_trial,
                           trial,
                           kTrialsNamedMax),
            ToCheckpoint,
            &rows);
  }));
  if (rows.size() > 1) return Ambiguous(uuid, rows);
  return Only<CheckpointRow>(std::move(rows), "checkpoint", name);
}

absl::StatusOr<std::string> ReadStore::LatestCheckpoint(TrialId trial) {
  DET_ASSIGN_OR_RETURN(const TrialRow row, Trial(trial));
  return row.latest_checkpoint;
}

absl::StatusOr<std::vector<MetricRow>> ReadStore::Metrics(TrialId trial,
                                                          const std::string& group,
                                                          int64_t limit,
                                                          const MetricCursor& after) {
  Rows<MetricRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    Collect(
        tx.exec_params(StrCat("SELECT allocation_id, stream, seq, grp, name, steps, value, other, ",
                              Micros("at"),
                              " FROM metrics WHERE trial_id = $1 AND ($2 = '' OR grp = $2) "
                              "AND (allocation_id, stream, seq, name) > ($3, $4, $5, $6) "
                              "ORDER BY allocation_id, stream, seq, name LIMIT $7"),
                       trial.value(),
                       group,
                       after.allocation,
                       after.stream,
                       after.seq,
                       after.name,
                       limit),
        ToMetric,
        &rows);
  }));
  return rows;
}

absl::StatusOr<std::vector<LogRow>> ReadStore::Logs(TrialId trial,
                                                    const LogCursor& after,
                                                    int64_t limit) {
  Rows<LogRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    ReadInOrder(tx);
    Collect(
        tx.exec_params(StrCat("WITH l AS MATERIALIZED (SELECT * FROM task_logs WHERE trial_id = $1 "
                              "AND (allocation_id, rank, seq, note) > ($2, $3, $4, $5) "
                              "ORDER BY allocation_id, rank, seq, note LIMIT $6) "
                              "SELECT l.allocation_id, coalesce(a.run, 0), l.rank, l.seq, l.note, ",
                              Micros("l.at"),
                              ", l.source, l.line, l.partial, l.dropped FROM l "
                              "LEFT JOIN allocations a ON a.id = l.allocation_id "
                              "ORDER BY l.allocation_id, l.rank, l.seq, l.note"),
                       trial.value(),
                       after.allocation,
                       after.rank,
                       after.seq,
                       after.note,
                       limit),
        ToLog,
        &rows);
  }));
  return rows;
}

absl::StatusOr<LogCursor> ReadStore::LogTail(TrialId trial, int64_t tail) {
  LogCursor cursor;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    ReadInOrder(tx);
    const pqxx::result rows = tx.exec_params(
        "SELECT allocation_id, rank, seq, note FROM task_logs WHERE trial_id = $1 "
        "ORDER BY allocation_id DESC, rank DESC, seq DESC, note DESC OFFSET $2 LIMIT 1",
        trial.value(),
        tail);
    if (rows.empty()) return;
    cursor = {rows[0][0].as<int64_t>(),
              rows[0][1].as<int64_t>(),
              rows[0][2].as<int64_t>(),
              rows[0][3].as<int64_t>()};
  }));
  return cursor;
}

}  // namespace det::store
