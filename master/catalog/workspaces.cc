#include "common/pg/pg.h"
#include "master/catalog/change.h"

// Workspaces, and who may what in them.
namespace det::catalog {

using core::Verb;
using internal::Audit;
using internal::FindWorkspace;
using internal::Tx;
using internal::WorkspaceRef;

namespace {

constexpr int64_t kNamedMax = 5;  // of what keeps a workspace from going

std::string WorkspaceSelect() {
  return StrCat("SELECT w.id, w.name, w.archived, ",
                internal::NameOfHandle("w.owner"),
                ", ",
                internal::Micros("w.created_at"),
                ", (SELECT count(*) FROM projects p WHERE p.workspace_id = w.id), "
                "(SELECT count(*) FROM experiments e WHERE e.workspace_id = w.id) "
                "FROM workspaces w ");
}

WorkspaceRow ToWorkspace(const pqxx::row& row) {
  return {WorkspaceId(row[0].as<int64_t>()),
          row[1].as<std::string>(),
          row[2].as<bool>(),
          row[3].as<std::string>(),
          internal::ToTime(row[4]),
          row[5].as<int64_t>(),
          row[6].as<int64_t>()};
}

WorkspaceRow OneWorkspace(Tx& tx, WorkspaceId id) {
  return ToWorkspace(tx.exec_params1(StrCat(WorkspaceSelect(), "WHERE w.id = $1"), id.value()));
}

absl::Status CheckNotFirst(const WorkspaceRef& workspace) {
  if (workspace.id != kFirstWorkspace) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "BUILT_IN",
               StrCat("workspace ",
                      QuoteJson(workspace.name),
                      " is where experiments go that name none: it stays as it is"));
}

// "2 projects: a, b".
std::string Contents(const pqxx::result& names, int64_t count, std::string_view what) {
  std::string text = StrCat(count, " ", what, count == 1 ? "" : "s", ": ");
  text += StrJoin(names, ", ", [](const pqxx::row& row) { return row[0].as<std::string>(); });
  return count > static_cast<int64_t>(names.size()) ? text + ", ..." : text;
}

absl::Status CheckEmpty(Tx& tx, const WorkspaceRef& workspace) {
  std::vector<std::string> inside;
  for (const char* table : {"project", "template"}) {
    const auto count =
        tx.exec_params1(StrCat("SELECT count(*) FROM ", table, "s WHERE workspace_id = $1"),
                        workspace.id.value())[0]
            .as<int64_t>();
    if (count == 0) continue;
    inside.push_back(Contents(
        tx.exec_params(
            StrCat("SELECT name FROM ", table, "s WHERE workspace_id = $1 ORDER BY id LIMIT $2"),
            workspace.id.value(),
            kNamedMax),
        count,
        table));
  }
  if (inside.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "NOT_EMPTY",
               StrCat("workspace ", QuoteJson(workspace.name), " holds ", StrJoin(inside, "; ")),
               "move or delete these first, or archive the workspace");
}

std::string Told(const WorkspaceRow& row) {
  return StrCat(row.name, row.archived ? ", archived" : "");
}

std::string ObjectName(WorkspaceId id) {
  return StrCat("workspace ", id.value());
}

absl::Status QuotaNames(const WorkspaceRef& ref, const std::string& to) {
  return Error(absl::StatusCode::kFailedPrecondition,
               "QUOTA_BY_NAME",
               StrCat("workspace ",
                      QuoteJson(ref.name),
                      " is not renamed to ",
                      QuoteJson(to),
                      ": a quota of the master's configuration goes by one of these names"),
               "change quotas.workspaces there first");
}

}  // namespace

absl::StatusOr<std::vector<WorkspaceRow>> Catalog::Workspaces(const core::Principal& by,
                                                              const Page& page) {
  DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kRead, {.what = "workspaces"}));
  const std::optional<std::string> seen = internal::ReadableParam(by);
  std::vector<WorkspaceRow> rows;
  const absl::Status done = Read([&](Tx& tx) {
    rows.clear();
    for (const auto& row :
         tx.exec_params(StrCat(WorkspaceSelect(),
                               "WHERE w.id > $1 AND ($2 OR NOT w.archived) AND ($3::bigint[] IS "
                               "NULL OR w.id = ANY ($3::bigint[])) ORDER BY w.id LIMIT $4"),
                        page.after,
                        page.archived,
                        seen.has_value() ? seen->c_str() : nullptr,
                        page.limit))
      rows.push_back(ToWorkspace(row));
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return rows;
}

absl::StatusOr<WorkspaceRow> Catalog::Workspace(const core::Principal& by,
                                                const std::string& name) {
  WorkspaceRow found;
  const absl::Status done = Read([&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const WorkspaceRef ref,
                         FindWorkspace(tx, by, name, internal::Lock::kNone));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kRead, ref.object()));
    found = OneWorkspace(tx, ref.id);
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return found;
}

absl::StatusOr<WorkspaceRow> Catalog::CreateWorkspace(const core::Principal& by,
                                                      const std::string& name) {
  DET_ASSIGN_OR_RETURN(const std::string checked, CheckName("workspace", name));
  DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kCreate, {.what = "workspaces"}));
  WorkspaceRow made;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_RETURN_IF_ERROR(internal::CheckRoom(tx, "workspaces", kWorkspacesMax));
    const pqxx::result rows = tx.exec_params(
        "INSERT INTO workspaces (name, folded, owner) VALUES ($1, $2, $3) ON CONFLICT (folded) DO "
        "NOTHING RETURNING id",
        checked,
        Fold(checked),
        by.name);
    if (rows.empty()) return internal::NameTaken("workspace", checked);
    made = OneWorkspace(tx, WorkspaceId(rows[0][0].as<int64_t>()));
    DET_ASSIGN_OR_RETURN(const int64_t user, internal::FindUser(tx, by.name));
    tx.exec_params("INSERT INTO roles (user_id, workspace_id, role) VALUES ($1, $2, $3)",
                   user,
                   made.id.value(),
                   "administrator");
    Audit(tx, by, {"workspace.create", ObjectName(made.id), "", made.name});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return made;
}

void Catalog::Pin(const std::map<std::string, int64_t>& workspaces) {
  for (const auto& [name, slots] : workspaces) pinned_.insert(Fold(name));
}

absl::StatusOr<WorkspaceRow> Catalog::ChangeWorkspace(const core::Principal& by,
                                                      const std::string& name,
                                                      const PlaceChange& change) {
  std::optional<std::string> to = change.name;
  if (to.has_value()) {
    DET_ASSIGN_OR_RETURN(to, CheckName("workspace", *to));
  }
  WorkspaceRow after;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const WorkspaceRef ref,
                         FindWorkspace(tx, by, name, internal::Lock::kExclusive));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kManage, ref.object()));
    DET_RETURN_IF_ERROR(CheckNotFirst(ref));
    const WorkspaceRow before = OneWorkspace(tx, ref.id);
    if (to.has_value()) {
      // The lock of Write keeps other names from coming meanwhile.
      if (!tx.exec_params(
                 "SELECT FROM workspaces WHERE folded = $1 AND id <> $2", Fold(*to), ref.id.value())
               .empty())
        return internal::NameTaken("workspace", *to);
      if (pinned_.contains(Fold(ref.name)) || pinned_.contains(Fold(*to)))
        return QuotaNames(ref, *to);
      tx.exec_params("UPDATE workspaces SET name = $2, folded = $3 WHERE id = $1",
                     ref.id.value(),
                     *to,
                     Fold(*to));
    }
    if (change.archived.has_value()) {
      tx.exec_params(
          "UPDATE workspaces SET archived = $2 WHERE id = $1", ref.id.value(), *change.archived);
    }
    after = OneWorkspace(tx, ref.id);
    Audit(tx, by, {"workspace.change", ObjectName(ref.id), Told(before), Told(after)});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return after;
}

absl::Status Catalog::DeleteWorkspace(const core::Principal& by, const std::string& name) {
  return Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const WorkspaceRef ref,
                         FindWorkspace(tx, by, name, internal::Lock::kExclusive));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kManage, ref.object()));
    DET_RETURN_IF_ERROR(CheckNotFirst(ref));
    DET_RETURN_IF_ERROR(CheckEmpty(tx, ref));
    tx.exec_params("DELETE FROM roles WHERE workspace_id = $1", ref.id.value());
    tx.exec_params("DELETE FROM workspaces WHERE id = $1", ref.id.value());
    Audit(tx, by, {"workspace.delete", ObjectName(ref.id), ref.name, ""});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<RoleRow>> Catalog::Roles(const core::Principal& by,
                                                    const std::string& workspace) {
  std::vector<RoleRow> rows;
  const absl::Status done = Read([&](Tx& tx) -> absl::Status {
    WorkspaceRef ref;
    if (!workspace.empty()) {
      DET_ASSIGN_OR_RETURN(ref, FindWorkspace(tx, by, workspace, internal::Lock::kNone));
    }
    DET_RETURN_IF_ERROR(core::Authorize(
        by, Verb::kRead, workspace.empty() ? core::Object{.what = "roles"} : ref.object()));
    rows.clear();
    for (const auto& row : tx.exec_params(
             StrCat("SELECT coalesce(u.name, $2), coalesce(w.name, ''), r.role, ",
                    internal::Micros("r.granted_at"),
                    " FROM roles r LEFT JOIN users u ON u.id = r.user_id "
                    "LEFT JOIN workspaces w ON w.id = r.workspace_id "
                    "WHERE r.workspace_id IN (0, $1) ORDER BY r.workspace_id, r.user_id"),
             ref.id.value(),
             kEverybody))
      rows.push_back({row[0].as<std::string>(),
                      row[1].as<std::string>(),
                      internal::AccessNamed(row[2].as<std::string>()),
                      internal::ToTime(row[3])});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return rows;
}

absl::Status Catalog::SetRole(const core::Principal& by,
                              const std::string& workspace,
                              const std::string& user,
                              core::Access role) {
  return Write(true, [&](Tx& tx) -> absl::Status {
    WorkspaceRef ref;
    if (!workspace.empty()) {
      DET_ASSIGN_OR_RETURN(ref, FindWorkspace(tx, by, workspace));
    }
    DET_RETURN_IF_ERROR(core::Authorize(
        by,
        workspace.empty() ? Verb::kAdminister : Verb::kManage,
        workspace.empty() ? core::Object{.what = "roles in all workspaces"} : ref.object()));
    int64_t id = 0;
    if (Fold(user) != kEverybody) {
      DET_ASSIGN_OR_RETURN(id, internal::FindUser(tx, user));
    }
    const pqxx::result was =
        tx.exec_params("DELETE FROM roles WHERE workspace_id = $1 AND user_id = $2 RETURNING role",
                       ref.id.value(),
                       id);
    if (role != core::Access::kNone) {
      tx.exec_params("INSERT INTO roles (user_id, workspace_id, role) VALUES ($1, $2, $3)",
                     id,
                     ref.id.value(),
                     std::string(core::Name(role)));
    } else if (was.empty()) {
      return Error(absl::StatusCode::kNotFound,
                   "ROLE_NOT_FOUND",
                   StrCat(user, " has no role of their own there"),
                   "det workspace describe shows who has one");
    }
    Audit(tx,
          by,
          {"role.set",
           StrCat("role of user ", id, " in ", ObjectName(ref.id)),
           was.empty() ? "" : was[0][0].as<std::string>(),
           role == core::Access::kNone ? "" : std::string(core::Name(role))});
    return absl::OkStatus();
  });
}

}  // namespace det::catalog
