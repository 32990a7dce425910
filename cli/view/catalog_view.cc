#include "cli/view/catalog_view.h"

#include "cli/client/client.h"
#include "cli/view/columns.h"
#include "cli/view/proto_document.h"

namespace det::cli {
namespace {

std::string YesNo(bool yes) {
  return yes ? "yes" : "no";
}

template <class M>
ColumnOf<M> Id() {
  return {{"id", Align::kRight}, [](const M& m) -> Cell { return int64_t{m.id()}; }};
}
template <class M>
ColumnOf<M> Name() {
  return {{.name = "name", .shrinks = true}, [](const M& m) { return TextCell(m.name()); }};
}
template <class M>
ColumnOf<M> Owner() {
  return {{.name = "owner", .rank = 1}, [](const M& m) { return TextCell(m.owner()); }};
}
template <class M>
ColumnOf<M> Created() {
  return {{.name = "created", .rank = 2},
          [](const M& m) { return TimeCell(m.created_unix_nanos()); }};
}
template <class M>
ColumnOf<M> Archived() {
  return {{.name = "archived", .rank = 2}, [](const M& m) -> Cell { return YesNo(m.archived()); }};
}
template <class M>
ColumnOf<M> Experiments() {
  return {{.name = "experiments", .align = Align::kRight, .rank = 1},
          [](const M& m) -> Cell { return int64_t{m.experiments()}; }};
}

}  // namespace

Table UserTable(const std::vector<api::User>& users) {
  using U = api::User;
  return MakeTable<U>(
      "name",
      {Id<U>(),
       Name<U>(),
       {{.name = "display_name", .shrinks = true},
        [](const U& u) { return TextCell(u.display_name()); }},
       {{"active"}, [](const U& u) -> Cell { return YesNo(u.active()); }},
       {{"administrator"}, [](const U& u) -> Cell { return YesNo(u.administrator()); }},
       Created<U>()},
      users);
}

Table TokenTable(const std::vector<api::Token>& tokens) {
  using T = api::Token;
  return MakeTable<T>("id",
                      {Id<T>(),
                       Name<T>(),
                       {{"user"}, [](const T& t) { return TextCell(t.user()); }},
                       Created<T>(),
                       {{"expires"}, [](const T& t) { return TimeCell(t.expires_unix_nanos()); }},
                       {{.name = "last_used", .rank = 1},
                        [](const T& t) { return TimeCell(t.last_used_unix_nanos()); }}},
                      tokens);
}

Table WorkspaceTable(const std::vector<api::Workspace>& workspaces) {
  using W = api::Workspace;
  return MakeTable<W>("name",
                      {Id<W>(),
                       Name<W>(),
                       Owner<W>(),
                       {{.name = "projects", .align = Align::kRight},
                        [](const W& w) -> Cell { return int64_t{w.projects()}; }},
                       Experiments<W>(),
                       Archived<W>(),
                       Created<W>()},
                      workspaces);
}

Table RoleTable(const std::vector<api::RoleGrant>& roles) {
  using R = api::RoleGrant;
  return MakeTable<R>(
      "user",
      {{{"user"}, [](const R& r) { return TextCell(r.user()); }},
       {{"role"}, [](const R& r) { return TextCell(r.role()); }},
       {{"workspace"},
        [](const R& r) -> Cell { return r.workspace().empty() ? "(all)" : r.workspace(); }},
       {{.name = "granted", .rank = 1},
        [](const R& r) { return TimeCell(r.granted_unix_nanos()); }}},
      roles);
}

Table ProjectTable(const std::vector<api::Project>& projects) {
  using P = api::Project;
  return MakeTable<P>(
      "name",
      {Id<P>(),
       {{.name = "workspace", .shrinks = true}, [](const P& p) { return TextCell(p.workspace()); }},
       Name<P>(),
       Owner<P>(),
       Experiments<P>(),
       Archived<P>(),
       {{.name = "description", .shrinks = true, .rank = 3},
        [](const P& p) { return TextCell(p.description()); }},
       Created<P>()},
      projects);
}

Table TemplateTable(const std::vector<api::Template>& templates) {
  using T = api::Template;
  return MakeTable<T>(
      "name",
      {Id<T>(),
       Name<T>(),
       {{.name = "workspace", .shrinks = true}, [](const T& t) { return TextCell(t.workspace()); }},
       Owner<T>(),
       {{.name = "changed", .rank = 1},
        [](const T& t) { return TimeCell(t.changed_unix_nanos()); }}},
      templates);
}

Report WorkspaceReport(const api::GetWorkspaceResponse& response) {
  const api::Workspace& w = response.workspace();
  Report report;
  report.document = ToDocument(response);
  report.table = WorkspaceTable({w});
  report.sections = {{"",
                      Fields{{"workspace", TextCell(w.name())},
                             {"owner", TextCell(w.owner())},
                             {"archived", YesNo(w.archived())},
                             {"projects", int64_t{w.projects()}},
                             {"experiments", int64_t{w.experiments()}},
                             {"created", TimeCell(w.created_unix_nanos())}}},
                     {"roles", RoleTable({response.roles().begin(), response.roles().end()})}};
  return report;
}

Report ProjectReport(const api::Project& p) {
  Report report;
  report.document = ToDocument(p);
  report.table = ProjectTable({p});
  report.sections = {{"",
                      Fields{{"project", TextCell(p.name())},
                             {"workspace", TextCell(p.workspace())},
                             {"description", TextCell(p.description())},
                             {"owner", TextCell(p.owner())},
                             {"archived", YesNo(p.archived())},
                             {"experiments", int64_t{p.experiments()}},
                             {"created", TimeCell(p.created_unix_nanos())}}}};
  return report;
}

Report TemplateReport(const api::Template& made) {
  Report report;
  report.document = ToDocument(made);
  report.table = TemplateTable({made});
  std::string text = made.config();
  if (!text.empty() && text.back() != '\n') text += '\n';
  report.sections = {{"", std::move(text)}};
  return report;
}

}  // namespace det::cli
