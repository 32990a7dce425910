#include "master/catalog/change.h"

#include <algorithm>
#include <exception>

#include "common/base/nearest.h"
#include "common/pg/pg.h"
#include "master/catalog/holds.h"

namespace det::catalog {
namespace internal {
namespace {

// The first workspace and the first project keep their name.
const char* const kFirstFolded = "uncategorized";
constexpr size_t kNearestBytesMax = 200;  // the distance costs the product of both lengths

std::string_view Sql(Lock lock) {
  static constexpr std::string_view kClauses[] = {"", " FOR SHARE", " FOR UPDATE"};
  return kClauses[static_cast<size_t>(lock)];
}

}  // namespace

void Audit(Tx& tx, const core::Principal& by, const AuditLine& line) {
  tx.exec_params(
      "INSERT INTO audit (actor, verb, object, before, after) VALUES ($1, $2, $3, $4, $5)",
      by.Actor(),
      line.verb,
      line.object,
      pg::StorableText(line.before),
      pg::StorableText(line.after));
}

std::string Micros(std::string_view column) {
  return StrCat("(extract(epoch from ", column, ") * 1000000)::bigint");
}
absl::Time ToTime(const pqxx::field& field) {
  return absl::FromUnixMicros(field.as<int64_t>(0));
}
std::optional<absl::Time> ToMaybeTime(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return ToTime(field);
}

std::string NameOfHandle(std::string_view column) {
  return StrCat(
      "coalesce((SELECT u.name FROM users u WHERE u.handle = ", column, "), ", column, ")");
}

absl::Status NameTaken(std::string_view what, std::string_view name) {
  return Error(absl::StatusCode::kAlreadyExists,
               "NAME_TAKEN",
               StrCat("there is a ", what, " ", QuoteJson(name), " already; case does not count"),
               "choose another name");
}

absl::Status CheckRoom(Tx& tx, const std::string& table, int64_t most) {
  if (tx.exec1(StrCat("SELECT count(*) FROM ", table))[0].as<int64_t>() < most)
    return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted,
               "TOO_MANY",
               StrCat("there are ", most, " ", table, ", the most allowed"));
}

std::string NearestOf(const pqxx::result& names, const std::string& word) {
  if (word.size() > kNearestBytesMax) return "";
  std::vector<std::string> folded;
  for (const auto& row : names) folded.push_back(Fold(row[0].as<std::string>()));
  const std::string nearest = Nearest(Fold(word), folded);
  for (size_t i = 0; i < folded.size(); ++i) {
    if (!nearest.empty() && folded[i] == nearest)
      return names[static_cast<pqxx::result::size_type>(i)][0].as<std::string>();
  }
  return "";
}

std::string DidYouMean(const std::string& nearest, std::string_view otherwise) {
  return nearest.empty() ? std::string(otherwise)
                         : StrCat("did you mean ", QuoteJson(nearest), "?");
}

std::optional<std::string> ReadableParam(const core::Principal& by) {
  if (core::ReadsEverything(by)) return std::nullopt;
  std::vector<int64_t> ids;
  for (const WorkspaceId workspace : core::ReadableWorkspaces(by)) ids.push_back(workspace.value());
  return pg::ArrayOf(ids);
}

absl::StatusOr<WorkspaceRef> FindWorkspace(Tx& tx,
                                           const core::Principal& by,
                                           const std::string& name,
                                           Lock lock) {
  const pqxx::result rows = tx.exec_params(
      StrCat("SELECT id, name, archived, owner FROM workspaces WHERE folded = $1", Sql(lock)),
      name.empty() ? std::string(kFirstFolded) : pg::StorableText(Fold(name)));
  if (rows.empty() || !core::Sees(by, WorkspaceId(rows[0][0].as<int64_t>()))) {
    const std::optional<std::string> seen = ReadableParam(by);
    const pqxx::result names = tx.exec_params(
        "SELECT name FROM workspaces WHERE $1::bigint[] IS NULL OR id = ANY ($1::bigint[]) "
        "ORDER BY id LIMIT 1000",
        seen.has_value() ? seen->c_str() : nullptr);
    return Error(absl::StatusCode::kNotFound,
                 "WORKSPACE_NOT_FOUND",
                 StrCat("workspace ", QuoteJson(name), " does not exist"),
                 DidYouMean(NearestOf(names, name), "det workspace list shows all"));
  }
  return WorkspaceRef{WorkspaceId(rows[0][0].as<int64_t>()),
                      rows[0][1].as<std::string>(),
                      rows[0][2].as<bool>(),
                      rows[0][3].as<std::string>()};
}

absl::Status CheckNotArchived(const WorkspaceRef& workspace) {
  if (!workspace.archived) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition,
      "ARCHIVED",
      StrCat("workspace ", QuoteJson(workspace.name), " is archived: nothing new goes there"),
      "det workspace unarchive takes it back");
}

absl::StatusOr<ProjectRef> FindProject(Tx& tx,
                                       const core::Principal& by,
                                       const ProjectName& name,
                                       Lock lock) {
  if (name.workspace.empty() != name.project.empty()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "BOTH_OR_NEITHER",
                 StrCat(name.workspace.empty() ? "project " : "workspace ",
                        QuoteJson(name.workspace.empty() ? name.project : name.workspace),
                        " is named without its ",
                        name.workspace.empty() ? "workspace" : "project"),
                 "name both, or neither for the first ones");
  }
  DET_ASSIGN_OR_RETURN(WorkspaceRef workspace,
                       FindWorkspace(tx, by, name.workspace, std::min(lock, Lock::kShared)));
  const std::string folded =
      name.project.empty() ? std::string(kFirstFolded) : pg::StorableText(Fold(name.project));
  const pqxx::result rows = tx.exec_params(
      StrCat("SELECT id, name, archived, owner FROM projects WHERE workspace_id = $1 "
             "AND folded = $2",
             Sql(lock)),
      workspace.id.value(),
      folded);
  if (rows.empty()) {
    const pqxx::result names =
        tx.exec_params("SELECT name FROM projects WHERE workspace_id = $1 ORDER BY id LIMIT 1000",
                       workspace.id.value());
    return Error(absl::StatusCode::kNotFound,
                 "PROJECT_NOT_FOUND",
                 StrCat("project ",
                        QuoteJson(name.project),
                        " does not exist in workspace ",
                        QuoteJson(workspace.name)),
                 DidYouMean(NearestOf(names, name.project), "det project list shows all"));
  }
  return ProjectRef{ProjectId(rows[0][0].as<int64_t>()),
                    rows[0][1].as<std::string>(),
                    rows[0][2].as<bool>(),
                    rows[0][3].as<std::string>(),
                    std::move(workspace)};
}

// What a change refuses: rolls the transaction back.
struct Refusal : std::exception {};

}  // namespace internal

Catalog::Catalog(const std::string& conninfo, int64_t epoch, Directory& directory)
    : epoch_(epoch),
      directory_(directory),
      readers_(std::make_unique<pg::Pool>(conninfo, 4)),
      writers_(std::make_unique<pg::Pool>(conninfo, 4)),
      holds_(std::make_unique<Holds>()) {}
Catalog::~Catalog() = default;

absl::Status Catalog::Write(bool people, const Changes& change) {
  absl::Status refused;
  const absl::Status stored = writers_->Write([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch_);
    if (people) tx.exec("UPDATE catalogue SET version = version + 1");
    refused = change(tx);
    if (!refused.ok()) throw internal::Refusal();
  });
  DET_RETURN_IF_ERROR(refused);
  if (stored.code() == absl::StatusCode::kUnknown) {
    return Error(absl::StatusCode::kUnavailable,
                 "ANSWER_LOST",
                 StrCat("the database broke off, and the change may have been made: ",
                        FromAbsl(stored.message())),
                 "look whether it was before you repeat it");
  }
  DET_RETURN_IF_ERROR(stored);
  // When this fails the next Refresh finds the new version.
  if (people) Read([this](internal::Tx& tx) { return Load(tx); }).IgnoreError();
  return absl::OkStatus();
}

absl::Status Catalog::Read(const Changes& read) {
  absl::Status refused;
  const absl::Status status = readers_->Read([&](pqxx::work& tx) { refused = read(tx); });
  DET_RETURN_IF_ERROR(refused);
  return status;
}

// `what` is "trial"; the query takes the id and gives the experiment's owner and workspace.
absl::StatusOr<core::Object> Catalog::ObjectBy(const core::Principal& by,
                                               const ObjectQuery& query,
                                               int64_t id) {
  core::Object object;
  const absl::Status done = Read([&](internal::Tx& tx) -> absl::Status {
    const pqxx::result rows = tx.exec_params(std::string(query.sql), id);
    if (rows.empty() || !core::Sees(by, WorkspaceId(rows[0][1].as<int64_t>()))) {
      return Error(absl::StatusCode::kNotFound,
                   query.reason,
                   StrCat(query.what, " ", id, " does not exist"));
    }
    object = {.owner = rows[0][0].as<std::string>(),
              .workspace = WorkspaceId(rows[0][1].as<int64_t>()),
              .what = StrCat(query.what, " ", id)};
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return object;
}

absl::StatusOr<core::Object> Catalog::ObjectOf(const core::Principal& by, ExperimentId id) {
  return ObjectBy(by,
                  {"experiment",
                   "EXPERIMENT_NOT_FOUND",
                   "SELECT owner, workspace_id FROM experiments WHERE id = $1"},
                  id.value());
}

absl::StatusOr<core::Object> Catalog::ObjectOf(const core::Principal& by, TrialId id) {
  return ObjectBy(by,
                  {"trial",
                   "TRIAL_NOT_FOUND",
                   "SELECT e.owner, e.workspace_id FROM trials t "
                   "JOIN experiments e ON e.id = t.experiment_id WHERE t.id = $1"},
                  id.value());
}

absl::StatusOr<core::Object> Catalog::ObjectOf(const core::Principal& by, AllocationId id) {
  return ObjectBy(by,
                  {"allocation",
                   "ALLOCATION_NOT_FOUND",
                   "SELECT e.owner, e.workspace_id FROM allocations a "
                   "JOIN trials t ON t.id = a.trial_id "
                   "JOIN experiments e ON e.id = t.experiment_id WHERE a.id = $1"},
                  id.value());
}

}  // namespace det::catalog
