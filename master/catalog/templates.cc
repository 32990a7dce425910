#include "common/pg/pg.h"
#include "master/catalog/change.h"

namespace det::catalog {

using core::Verb;
using internal::Audit;
using internal::Tx;

namespace {

std::string TemplateSelect(bool config) {
  return StrCat("SELECT t.id, t.name, w.name, ",
                config ? "t.config" : "''",
                ", ",
                internal::NameOfHandle("t.owner"),
                ", ",
                internal::Micros("t.created_at"),
                ", ",
                internal::Micros("t.changed_at"),
                ", t.workspace_id, t.owner FROM templates t "
                "JOIN workspaces w ON w.id = t.workspace_id ");
}

struct Found {
  TemplateRow row;
  core::Object object;
};

Found ToTemplate(const pqxx::row& row) {
  const auto name = row[1].as<std::string>();
  return {{row[0].as<int64_t>(),
           name,
           row[2].as<std::string>(),
           row[3].as<std::string>(),
           row[4].as<std::string>(),
           internal::ToTime(row[5]),
           internal::ToTime(row[6])},
          {.owner = row[8].as<std::string>(),
           .workspace = WorkspaceId(row[7].as<int64_t>()),
           .what = StrCat("template ", QuoteJson(name))}};
}

absl::StatusOr<Found> FindTemplate(Tx& tx, const core::Principal& by, const std::string& name) {
  const pqxx::result rows = tx.exec_params(StrCat(TemplateSelect(true), "WHERE t.folded = $1"),
                                           pg::StorableText(Fold(name)));
  if (!rows.empty()) {
    Found found = ToTemplate(rows[0]);
    if (core::Sees(by, found.object.workspace)) return found;
  }
  const std::optional<std::string> seen = internal::ReadableParam(by);
  const pqxx::result names = tx.exec_params(
      "SELECT name FROM templates WHERE $1::bigint[] IS NULL OR workspace_id = ANY ($1::bigint[]) "
      "ORDER BY id LIMIT 1000",
      seen.has_value() ? seen->c_str() : nullptr);
  return Error(
      absl::StatusCode::kNotFound,
      "TEMPLATE_NOT_FOUND",
      StrCat("template ", QuoteJson(name), " does not exist"),
      internal::DidYouMean(internal::NearestOf(names, name), "det template list shows all"));
}

std::string ObjectName(int64_t id) {
  return StrCat("template ", id);
}

}  // namespace

absl::StatusOr<std::vector<TemplateRow>> Catalog::Templates(const core::Principal& by,
                                                            const Page& page) {
  DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kRead, {.what = "templates"}));
  const std::optional<std::string> seen = internal::ReadableParam(by);
  std::vector<TemplateRow> rows;
  const absl::Status done = Read([&](Tx& tx) {
    rows.clear();
    for (const auto& row :
         tx.exec_params(StrCat(TemplateSelect(false),
                               "WHERE t.id > $1 AND ($2::bigint[] IS NULL OR t.workspace_id = ANY "
                               "($2::bigint[])) ORDER BY t.id LIMIT $3"),
                        page.after,
                        seen.has_value() ? seen->c_str() : nullptr,
                        page.limit))
      rows.push_back(ToTemplate(row).row);
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return rows;
}

absl::StatusOr<TemplateRow> Catalog::Template(const core::Principal& by, const std::string& name) {
  TemplateRow row;
  const absl::Status done = Read([&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(Found found, FindTemplate(tx, by, name));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kRead, found.object));
    row = std::move(found.row);
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return row;
}

absl::StatusOr<TemplateRow> Catalog::SetTemplate(const core::Principal& by,
                                                 const NewTemplate& made) {
  DET_ASSIGN_OR_RETURN(const std::string name, CheckName("template", made.name));
  if (made.config.size() > kTemplateBytesMax) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "TEMPLATE_TOO_LARGE",
                 StrCat("a template has at most ", kTemplateBytesMax, " bytes"));
  }
  TemplateRow row;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    absl::StatusOr<Found> there = FindTemplate(tx, by, name);
    // One that the caller must not know of keeps its name.
    const bool taken =
        !tx.exec_params("SELECT FROM templates WHERE folded = $1", Fold(name)).empty();
    if (taken && (made.must_be_new || !there.ok())) return internal::NameTaken("template", name);
    const std::string in =
        there.ok() && made.workspace.empty() ? there->row.workspace : made.workspace;
    DET_ASSIGN_OR_RETURN(const internal::WorkspaceRef to, internal::FindWorkspace(tx, by, in));
    DET_RETURN_IF_ERROR(internal::CheckNotArchived(to));
    if (there.ok()) DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kControl, there->object));
    if (!there.ok() || there->object.workspace != to.id)
      DET_RETURN_IF_ERROR(
          core::Authorize(by, Verb::kCreate, {.workspace = to.id, .what = "templates"}));
    if (!there.ok()) DET_RETURN_IF_ERROR(internal::CheckRoom(tx, "templates", kTemplatesMax));
    tx.exec_params(
        "INSERT INTO templates (name, folded, workspace_id, config, owner) VALUES ($1, $2, $3, $4, "
        "$5) ON CONFLICT (folded) DO UPDATE SET workspace_id = EXCLUDED.workspace_id, "
        "config = EXCLUDED.config, changed_at = now()",
        name,
        Fold(name),
        to.id.value(),
        pg::StorableText(made.config),
        by.name);
    DET_ASSIGN_OR_RETURN(Found after, FindTemplate(tx, by, name));
    row = std::move(after.row);
    Audit(tx,
          by,
          {"template.set", ObjectName(row.id), there.ok() ? there->row.config : "", row.config});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return row;
}

absl::StatusOr<TemplateRow> Catalog::RenameTemplate(const core::Principal& by,
                                                    const std::string& name,
                                                    const std::string& to) {
  DET_ASSIGN_OR_RETURN(const std::string checked, CheckName("template", to));
  TemplateRow row;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const Found before, FindTemplate(tx, by, name));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kControl, before.object));
    // The lock of Write keeps other names from coming meanwhile.
    if (!tx.exec_params(
               "SELECT FROM templates WHERE folded = $1 AND id <> $2", Fold(checked), before.row.id)
             .empty())
      return internal::NameTaken("template", checked);
    tx.exec_params("UPDATE templates SET name = $2, folded = $3, changed_at = now() WHERE id = $1",
                   before.row.id,
                   checked,
                   Fold(checked));
    DET_ASSIGN_OR_RETURN(Found after, FindTemplate(tx, by, checked));
    row = std::move(after.row);
    Audit(tx, by, {"template.rename", ObjectName(row.id), before.row.name, row.name});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return row;
}

absl::Status Catalog::DeleteTemplate(const core::Principal& by, const std::string& name) {
  return Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const Found found, FindTemplate(tx, by, name));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kControl, found.object));
    tx.exec_params("DELETE FROM templates WHERE id = $1", found.row.id);
    Audit(tx, by, {"template.delete", ObjectName(found.row.id), found.row.name, ""});
    return absl::OkStatus();
  });
}

}  // namespace det::catalog
