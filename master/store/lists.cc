#include <algorithm>
#include <charconv>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/filter/filter.h"
#include "common/filter/sort.h"
#include "common/pg/pg.h"
#include "master/store/list_fields.h"
#include "master/store/read_store.h"
#include "master/store/row_reader.h"

namespace det::store {
namespace {

// Of rows that one page looks at when the filter is more than PostgreSQL can tell.
constexpr int64_t kScannedMax = 20'000;
constexpr int64_t kScanRows = 1'000;
// Of rows before a page in an order that has no index: each is sorted anew for each page.
constexpr int64_t kOffsetMax = 1'000'000;
constexpr char kTimeout[] = "SET LOCAL statement_timeout = '10s'";

// Where a page begins: after an id, which an index finds, or after so many rows.
struct Place {
  int64_t after = 0;  // 0: from the first
  int64_t offset = 0;
};

absl::StatusOr<Place> ParsePage(const std::string& page, bool by_id) {
  Place place;
  if (page.empty()) return place;
  int64_t number = 0;
  const char* end = page.data() + page.size();
  const auto read = std::from_chars(page.data() + 1, end, number);
  const bool known = page[0] == 'o' || (page[0] == 'i' && by_id);
  if (!known || read.ec != std::errc() || read.ptr != end || number < 0 || number > INT64_MAX / 2) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "BAD_PAGE",
                 "there is no such page of this list",
                 "begin again, with the same filter and sort for all pages");
  }
  (page[0] == 'i' ? place.after : place.offset) = number;
  if (place.offset <= kOffsetMax) return place;
  return Error(absl::StatusCode::kOutOfRange,
               "PAGE_TOO_FAR",
               StrCat("a list in this order ends after ", kOffsetMax, " rows"),
               "narrow it with a filter, or sort by id");
}

// What a list is made of. `values` are those of `where`, from $1.
struct Source {
  std::string select;  // with FROM
  std::string where;
  std::vector<std::string> values;
  std::string order;  // without a sort; empty: by id
  std::string id;     // the column; empty: there is none
  bool newest_first = true;
  std::string last;  // makes every order one of its own
  // Where `select` has its rows from, by `id`. In an order that no index has, a page is picked from
  // it first: so only what stands on the page is put together, not all that is sorted.
  std::string table;

  // One condition more, with "$" where its value stands. One that is not asked for is left out, so
  // that an index can serve the others.
  void Require(std::string condition, std::string value) {
    values.push_back(std::move(value));
    condition.insert(condition.find('$') + 1, StrCat(values.size()));
    StrAppend(where, " AND ", condition);
  }
};

// Of rows that may be seen; `condition` has "$" where the workspaces' ids stand.
void RequireVisible(std::string_view condition, const Visible& visible, Source* source) {
  if (!visible.has_value()) return;
  std::vector<int64_t> ids;
  for (const WorkspaceId id : *visible) ids.push_back(id.value());
  source->Require(std::string(condition), pg::ArrayOf(ids));
}

// One request for a page.
template <class Row>
class Lister {
 public:
  Lister(pg::Pool& pool, const ListFields<Row>& fields, Row (*convert)(const pqxx::row&))
      : pool_(pool), fields_(fields), convert_(convert) {}

  absl::StatusOr<ListPage<Row>> Run(Source source, const ListQuery& query) {
    DET_ASSIGN_OR_RETURN(const auto filter,
                         filter::Filter::Make(query.filter, fields_.table(), query.now));
    DET_ASSIGN_OR_RETURN(const auto sort, filter::Sort::Make(query.sort, fields_.table()));
    const bool sorted_by_id = !sort.empty() && sort.keys()[0].at.field->name == "id";
    by_id_ = !source.id.empty() && (sort.empty() ? source.order.empty() : sorted_by_id);
    if (sorted_by_id) source.newest_first = sort.keys()[0].descending;
    DET_ASSIGN_OR_RETURN(place_, ParsePage(query.page, by_id_));
    source_ = std::move(source);
    Order(sort);
    const filter::Sql condition = filter.ToSql(static_cast<int>(source_.values.size()) + 1);
    source_.values.insert(
        source_.values.end(), condition.parameters.begin(), condition.parameters.end());
    condition_ = condition.text;
    return condition.exact ? OnePage(query.limit) : Scan(filter, query.limit);
  }

 private:
  void Order(const filter::Sort& sort) {
    if (by_id_) {
      order_ = StrCat(source_.id, source_.newest_first ? " DESC" : "");
      return;
    }
    filter::Sql sql = sort.ToSql(static_cast<int>(source_.values.size()) + 1);
    source_.values.insert(source_.values.end(), sql.parameters.begin(), sql.parameters.end());
    order_ = sort.empty() ? source_.order : sql.text;
    StrAppend(order_, order_.empty() ? "" : ", ", source_.last);
  }

  absl::StatusOr<std::vector<Row>> Fetch(int64_t limit) {
    std::vector<std::string> values = source_.values;
    std::string where = StrCat(source_.where, " AND ", condition_);
    if (by_id_ && place_.after > 0) {
      values.push_back(StrCat(place_.after));
      StrAppend(where,
                " AND ",
                source_.id,
                source_.newest_first ? " < $" : " > $",
                values.size(),
                "::bigint");
    }
    const std::string page =
        StrCat(" WHERE ", where, " ORDER BY ", order_, " LIMIT ", limit, " OFFSET ", place_.offset);
    const bool picked = !by_id_ && !source_.table.empty();
    const std::string sql = picked ? StrCat(source_.select,
                                            " JOIN (SELECT ",
                                            source_.id,
                                            " AS picked FROM ",
                                            source_.table,
                                            page,
                                            ") AS page ON ",
                                            source_.id,
                                            " = picked ORDER BY ",
                                            order_)
                                   : StrCat(source_.select, page);
    std::vector<Row> rows;
    DET_RETURN_IF_ERROR(pool_.Read([&](pqxx::work& tx) {
      rows.clear();
      tx.exec(kTimeout);
      for (const auto& row : tx.exec_params(sql, pqxx::prepare::make_dynamic_params(values))) {
        rows.push_back(convert_(row));
      }
    }));
    return rows;
  }

  // Goes past the row: the next fetch begins after it.
  void Pass(const Row& row) {
    if constexpr (requires { row.id; }) {
      if (by_id_ && place_.offset == 0) {
        place_.after = row.id.value();
        return;
      }
    }
    ++place_.offset;
  }

  std::string Here() const {
    return place_.offset == 0 && by_id_ ? StrCat("i", place_.after) : StrCat("o", place_.offset);
  }

  absl::StatusOr<ListPage<Row>> OnePage(int64_t limit) {
    ListPage<Row> page;
    // One more than is asked for tells whether there is more.
    DET_ASSIGN_OR_RETURN(page.rows, Fetch(limit + 1));
    if (static_cast<int64_t>(page.rows.size()) <= limit) return page;
    page.rows.pop_back();
    for (const Row& row : page.rows) Pass(row);
    page.next = Here();
    return page;
  }

  // PostgreSQL gives more than the filter lets through: the rest is looked at here.
  absl::StatusOr<ListPage<Row>> Scan(const filter::Filter& filter, int64_t limit) {
    ListPage<Row> page;
    for (int64_t scanned = 0; scanned < kScannedMax; scanned += kScanRows) {
      DET_ASSIGN_OR_RETURN(std::vector<Row> rows, Fetch(kScanRows));
      for (Row& row : rows) {
        if (static_cast<int64_t>(page.rows.size()) == limit) {
          page.next = Here();
          return page;
        }
        Pass(row);
        if (filter.Matches(fields_.RecordOf(row))) page.rows.push_back(std::move(row));
      }
      if (static_cast<int64_t>(rows.size()) < kScanRows) return page;
    }
    page.next = Here();
    return page;
  }

  pg::Pool& pool_;
  const ListFields<Row>& fields_;
  Row (*const convert_)(const pqxx::row&);
  Source source_;
  std::string condition_;
  std::string order_;
  Place place_;
  bool by_id_ = false;
};

// The best first, then what has none; NaN, which PostgreSQL holds above all numbers, between them.
std::string BestFirst(std::string_view metric, std::string_view smaller_is_better) {
  return StrCat(metric,
                " IS NULL, ",
                metric,
                " = 'NaN', CASE WHEN ",
                smaller_is_better,
                " THEN ",
                metric,
                " ELSE -",
                metric,
                " END");
}

}  // namespace

absl::StatusOr<ListPage<ExperimentRow>> ReadStore::ListExperiments(const ListQuery& query,
                                                                   const ExperimentScope& scope) {
  Source source{.select = StrCat("SELECT ", ExperimentColumns(), ", best_hparams FROM experiments"),
                .where = StrCat("state <> 'DELETED'", scope.archived ? "" : " AND NOT archived"),
                .id = "id",
                .last = "id DESC",
                .table = "experiments"};
  if (!scope.owner.empty()) source.Require("owner = $::text", scope.owner);
  RequireVisible("workspace_id = ANY ($::bigint[])", scope.workspaces, &source);
  if (scope.project.valid()) source.Require("project_id = $::bigint", scope.project.ToString());
  if (!scope.labels.empty()) source.Require("labels @> $::text[]", pg::ArrayOf(scope.labels));
  const auto convert = [](const pqxx::row& row) {
    ExperimentRow experiment = ToExperiment(row);
    experiment.best_hparams = row["best_hparams"].as<std::string>(std::string());
    return experiment;
  };
  return Lister<ExperimentRow>(*pool_, ExperimentFields(), convert).Run(std::move(source), query);
}

absl::StatusOr<ListPage<TrialRow>> ReadStore::ListTrials(const ListQuery& query,
                                                         const TrialScope& scope) {
  Source source{.select = TrialSelect(),
                .where = StrCat("($1::bigint = 0 OR t.experiment_id = $1::bigint)",
                                scope.only_live ? " AND a.id IS NOT NULL" : ""),
                .values = {StrCat(scope.experiment.value())},
                .id = "t.id",
                .newest_first = scope.experiment.value() == 0,
                .last = "t.id"};
  // Not asked trial by trial: of a million, few may be theirs.
  RequireVisible(
      "t.experiment_id IN (SELECT id FROM experiments WHERE workspace_id = ANY ($::bigint[]))",
      scope.workspaces,
      &source);
  if (scope.by_best) {
    source.order = BestFirst("t.best_metric",
                             "(SELECT smaller_is_better FROM experiments WHERE id = "
                             "t.experiment_id)");
  }
  return Lister<TrialRow>(*pool_, TrialFields(), ToTrial).Run(std::move(source), query);
}

absl::StatusOr<ListPage<CheckpointRow>> ReadStore::ListCheckpoints(const ListQuery& query,
                                                                   const CheckpointScope& scope) {
  const bool of_experiment = scope.trial.value() == 0 && scope.experiment.value() != 0;
  Source source{.select = CheckpointSelect(),
                .where =
                    "($1::bigint = 0 OR c.trial_id = $1::bigint) AND ($2::bigint = 0 OR "
                    "c.experiment_id = $2::bigint) AND ($3::text[] = '{}' OR c.state = ANY "
                    "($3::text[]))",
                .values = {StrCat(scope.trial.value()),
                           StrCat(scope.experiment.value()),
                           pg::ArrayOf(scope.states)},
                .order = of_experiment ? StrCat(BestFirst("m.value", "e.smaller_is_better"),
                                                ", c.steps_completed DESC")
                                       : "c.steps_completed DESC, c.reported_at DESC",
                .last = "c.trial_id, c.uuid"};
  RequireVisible("e.workspace_id = ANY ($::bigint[])", scope.workspaces, &source);
  if (scope.trial.value() == 0 && !of_experiment) source.order = "c.reported_at DESC";
  return Lister<CheckpointRow>(*pool_, CheckpointFields(), ToCheckpoint)
      .Run(std::move(source), query);
}

}  // namespace det::store
