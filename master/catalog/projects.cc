#include "common/pg/pg.h"
#include "master/catalog/change.h"
#include "master/catalog/holds.h"

namespace det::catalog {

using core::Verb;
using internal::Audit;
using internal::FindProject;
using internal::FindWorkspace;
using internal::Lock;
using internal::ProjectRef;
using internal::Tx;
using internal::WorkspaceRef;

namespace {

constexpr int64_t kNamedMax = 5;  // experiments that keep a project from going

std::string ProjectSelect() {
  return StrCat("SELECT p.id, w.name, p.name, p.description, p.archived, ",
                internal::NameOfHandle("p.owner"),
                ", ",
                internal::Micros("p.created_at"),
                ", (SELECT count(*) FROM experiments e WHERE e.project_id = p.id) "
                "FROM projects p JOIN workspaces w ON w.id = p.workspace_id ");
}

ProjectRow ToProject(const pqxx::row& row) {
  return {ProjectId(row[0].as<int64_t>()),
          row[1].as<std::string>(),
          row[2].as<std::string>(),
          row[3].as<std::string>(),
          row[4].as<bool>(),
          row[5].as<std::string>(),
          internal::ToTime(row[6]),
          row[7].as<int64_t>()};
}

ProjectRow OneProject(Tx& tx, ProjectId id) {
  return ToProject(tx.exec_params1(StrCat(ProjectSelect(), "WHERE p.id = $1"), id.value()));
}

std::string ObjectName(ProjectId id) {
  return StrCat("project ", id.value());
}

absl::Status CheckNotFirst(const ProjectRef& project) {
  if (project.id != kFirstProject) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "BUILT_IN",
               StrCat("project ",
                      QuoteJson(project.FullName()),
                      " is where experiments go that name none: it stays as it is"));
}

absl::Status BeingUsed(const ProjectRef& project) {
  return Error(absl::StatusCode::kUnavailable,
               "PROJECT_BUSY",
               StrCat("an experiment is on its way to project ", QuoteJson(project.FullName())),
               "try again in a moment");
}

// Experiments of the project with a further condition, for an error; "" is none.
std::string SomeExperiments(Tx& tx, ProjectId id, const std::string& condition) {
  const std::string where = StrCat(" FROM experiments WHERE project_id = $1 ", condition);
  const auto count = tx.exec_params1(StrCat("SELECT count(*)", where), id.value())[0].as<int64_t>();
  if (count == 0) return "";
  const pqxx::result some =
      tx.exec_params(StrCat("SELECT id", where, " ORDER BY id LIMIT $2"), id.value(), kNamedMax);
  std::string text =
      StrCat(count,
             count == 1 ? " experiment: " : " experiments: ",
             StrJoin(some, ", ", [](const pqxx::row& row) { return row[0].as<std::string>(); }));
  return count > kNamedMax ? text + ", ..." : text;
}

std::string Told(const ProjectRow& row) {
  return StrCat(row.workspace,
                "/",
                row.name,
                row.archived ? ", archived" : "",
                row.description.empty() ? "" : StrCat(", ", QuoteJson(row.description)));
}

// What leaves with it would be taken from those who administrate its workspace.
bool HoldsOthersWork(Tx& tx, const ProjectRef& ref, const core::Principal& by) {
  return !tx.exec_params("SELECT FROM experiments WHERE project_id = $1 AND owner <> $2 LIMIT 1",
                         ref.id.value(),
                         by.name)
              .empty();
}

}  // namespace

absl::StatusOr<std::vector<ProjectRow>> Catalog::Projects(const core::Principal& by,
                                                          const std::string& workspace,
                                                          const Page& page) {
  std::vector<ProjectRow> rows;
  const std::optional<std::string> seen = internal::ReadableParam(by);
  const absl::Status done = Read([&](Tx& tx) -> absl::Status {
    WorkspaceRef ref;
    if (!workspace.empty()) {
      DET_ASSIGN_OR_RETURN(ref, FindWorkspace(tx, by, workspace, Lock::kNone));
    }
    DET_RETURN_IF_ERROR(core::Authorize(
        by, Verb::kRead, workspace.empty() ? core::Object{.what = "projects"} : ref.object()));
    rows.clear();
    for (const auto& row : tx.exec_params(
             StrCat(ProjectSelect(),
                    "WHERE p.id > $1 AND ($2 OR NOT (p.archived OR w.archived)) AND ($3 = 0 OR "
                    "p.workspace_id = $3) AND ($4::bigint[] IS NULL OR p.workspace_id = ANY "
                    "($4::bigint[])) ORDER BY p.id LIMIT $5"),
             page.after,
             page.archived,
             ref.id.value(),
             seen.has_value() ? seen->c_str() : nullptr,
             page.limit))
      rows.push_back(ToProject(row));
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return rows;
}

absl::StatusOr<ProjectRow> Catalog::Project(const core::Principal& by, const ProjectName& name) {
  ProjectRow found;
  const absl::Status done = Read([&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const ProjectRef ref, FindProject(tx, by, name, Lock::kNone));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kRead, ref.object()));
    found = OneProject(tx, ref.id);
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return found;
}

absl::StatusOr<ProjectRow> Catalog::CreateProject(const core::Principal& by,
                                                  const ProjectName& name,
                                                  const std::string& description) {
  DET_ASSIGN_OR_RETURN(const std::string checked, CheckName("project", name.project));
  DET_ASSIGN_OR_RETURN(
      const std::string text,
      CheckText({.what = "description", .bytes_max = kDescriptionBytesMax, .lines = true},
                description));
  ProjectRow made;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const WorkspaceRef ref, FindWorkspace(tx, by, name.workspace));
    DET_RETURN_IF_ERROR(
        core::Authorize(by, Verb::kCreate, {.workspace = ref.id, .what = StrCat("projects")}));
    DET_RETURN_IF_ERROR(internal::CheckNotArchived(ref));
    DET_RETURN_IF_ERROR(internal::CheckRoom(tx, "projects", kProjectsMax));
    const pqxx::result rows = tx.exec_params(
        "INSERT INTO projects (workspace_id, name, folded, description, owner) VALUES ($1, $2, $3, "
        "$4, $5) ON CONFLICT (workspace_id, folded) DO NOTHING RETURNING id",
        ref.id.value(),
        checked,
        Fold(checked),
        text,
        by.name);
    if (rows.empty()) return internal::NameTaken("project", StrCat(ref.name, "/", checked));
    made = OneProject(tx, ProjectId(rows[0][0].as<int64_t>()));
    Audit(tx, by, {"project.create", ObjectName(made.id), "", Told(made)});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return made;
}

absl::StatusOr<ProjectRow> Catalog::ChangeProject(const core::Principal& by,
                                                  const ProjectName& name,
                                                  const PlaceChange& change) {
  PlaceChange checked = change;
  if (change.name.has_value()) {
    DET_ASSIGN_OR_RETURN(checked.name, CheckName("project", *change.name));
  }
  if (change.description.has_value()) {
    DET_ASSIGN_OR_RETURN(
        checked.description,
        CheckText({.what = "description", .bytes_max = kDescriptionBytesMax, .lines = true},
                  *change.description));
  }
  ProjectRow after;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const ProjectRef ref, FindProject(tx, by, name, Lock::kExclusive));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kControl, ref.object()));
    DET_RETURN_IF_ERROR(CheckNotFirst(ref));
    const ProjectRow before = OneProject(tx, ref.id);
    const std::string folded = checked.name.has_value() ? Fold(*checked.name) : "";
    if (checked.name.has_value() &&
        !tx.exec_params("SELECT FROM projects WHERE workspace_id = $1 AND folded = $2 AND id <> $3",
                        ref.workspace.id.value(),
                        folded,
                        ref.id.value())
             .empty())
      return internal::NameTaken("project", StrCat(ref.workspace.name, "/", *checked.name));
    tx.exec_params(
        "UPDATE projects SET name = coalesce($2, name), folded = coalesce($3, folded), "
        "archived = coalesce($4, archived), description = coalesce($5, description) WHERE id = $1",
        ref.id.value(),
        checked.name.has_value() ? checked.name->c_str() : nullptr,
        checked.name.has_value() ? folded.c_str() : nullptr,
        checked.archived.has_value() ? (*checked.archived ? "true" : "false") : nullptr,
        checked.description.has_value() ? checked.description->c_str() : nullptr);
    after = OneProject(tx, ref.id);
    Audit(tx, by, {"project.change", ObjectName(ref.id), Told(before), Told(after)});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return after;
}

absl::StatusOr<ProjectRow> Catalog::MoveProject(const core::Principal& by,
                                                const ProjectName& name,
                                                const std::string& workspace) {
  ProjectRow after;
  std::shared_ptr<void> taken;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const WorkspaceRef to, FindWorkspace(tx, by, workspace));
    DET_ASSIGN_OR_RETURN(const ProjectRef ref, FindProject(tx, by, name, Lock::kExclusive));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kControl, ref.object()));
    DET_RETURN_IF_ERROR(
        core::Authorize(by, Verb::kCreate, {.workspace = to.id, .what = "projects"}));
    if (to.id != ref.workspace.id && HoldsOthersWork(tx, ref, by))
      DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kManage, ref.object()));
    DET_RETURN_IF_ERROR(CheckNotFirst(ref));
    DET_RETURN_IF_ERROR(internal::CheckNotArchived(to));
    taken = holds_->Take(ref.id);
    if (taken == nullptr) return BeingUsed(ref);
    // The core has a live experiment's workspace in its own state.
    if (const std::string live = SomeExperiments(tx, ref.id, "AND ended_at IS NULL");
        to.id != ref.workspace.id && !live.empty()) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "EXPERIMENTS_LIVE",
                   StrCat("project ", QuoteJson(ref.FullName()), " has ", live, ", not ended yet"),
                   "move it when they have ended");
    }
    if (!tx.exec_params("SELECT FROM projects WHERE workspace_id = $1 AND folded = $2 AND id <> $3",
                        to.id.value(),
                        Fold(ref.name),
                        ref.id.value())
             .empty())
      return internal::NameTaken("project", StrCat(to.name, "/", ref.name));
    tx.exec_params(
        "UPDATE projects SET workspace_id = $2 WHERE id = $1", ref.id.value(), to.id.value());
    tx.exec_params("UPDATE experiments SET workspace_id = $2 WHERE project_id = $1",
                   ref.id.value(),
                   to.id.value());
    after = OneProject(tx, ref.id);
    Audit(tx, by, {"project.move", ObjectName(ref.id), ref.FullName(), Told(after)});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return after;
}

absl::Status Catalog::DeleteProject(const core::Principal& by, const ProjectName& name) {
  std::shared_ptr<void> taken;
  return Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const ProjectRef ref, FindProject(tx, by, name, Lock::kExclusive));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kControl, ref.object()));
    DET_RETURN_IF_ERROR(CheckNotFirst(ref));
    taken = holds_->Take(ref.id);
    if (taken == nullptr) return BeingUsed(ref);
    if (const std::string inside = SomeExperiments(tx, ref.id, ""); !inside.empty()) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "NOT_EMPTY",
                   StrCat("project ", QuoteJson(ref.FullName()), " holds ", inside),
                   "move or delete these first, or archive the project");
    }
    tx.exec_params("DELETE FROM projects WHERE id = $1", ref.id.value());
    Audit(tx, by, {"project.delete", ObjectName(ref.id), ref.FullName(), ""});
    return absl::OkStatus();
  });
}

absl::StatusOr<Placement> Catalog::Place(const core::Principal& by, const ProjectName& name) {
  Placement placement;
  const absl::Status done = Read([&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const ProjectRef ref, FindProject(tx, by, name, Lock::kNone));
    DET_RETURN_IF_ERROR(
        core::Authorize(by, Verb::kCreate, {.workspace = ref.workspace.id, .what = "experiments"}));
    placement = {ref.workspace.id, ref.id, {ref.workspace.name, ref.name}, holds_->Hold(ref.id)};
    if (placement.hold == nullptr) return BeingUsed(ref);
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  // Once more: it may have gone before it was held.
  const absl::Status still = Read([&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const ProjectRef ref, FindProject(tx, by, name, Lock::kNone));
    DET_RETURN_IF_ERROR(internal::CheckNotArchived(ref.workspace));
    if (ref.archived) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "ARCHIVED",
                   StrCat("project ", QuoteJson(ref.FullName()), " is archived"),
                   "det project unarchive takes it back");
    }
    if (ref.id != placement.project || ref.workspace.id != placement.workspace)
      return BeingUsed(ref);
    return absl::OkStatus();
  });
  if (!still.ok()) return still;
  return placement;
}

}  // namespace det::catalog
