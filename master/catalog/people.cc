#include "common/pg/pg.h"
#include "master/catalog/change.h"

// The directory's content, and users.
namespace det::catalog {

using internal::Tx;

namespace {

void Raise(core::Grants* grants, WorkspaceId workspace, core::Access access) {
  core::Access& now = workspace.valid() ? grants->in[workspace] : grants->everywhere;
  now = std::max(now, access);
}

void LoadUsers(Tx& tx, People* people) {
  for (const auto& row :
       tx.exec("SELECT id, handle, name, active, administrator FROM users ORDER BY id")) {
    People::User user{row[0].as<int64_t>(),
                      row[1].as<std::string>(),
                      row[2].as<std::string>(),
                      row[3].as<bool>(),
                      row[4].as<bool>(),
                      nullptr};
    people->by_handle[user.handle] = user.id;
    people->users[user.id] = std::move(user);
  }
  for (const auto& row : tx.exec("SELECT folded, user_id FROM user_names"))
    people->by_name[row[0].as<std::string>()] = row[1].as<int64_t>();
}

// Everybody's roles and each one's own; those who have none of their own share one object.
void LoadGrants(Tx& tx, People* people) {
  std::map<int64_t, core::Grants> own;
  core::Grants everybodys;
  for (const auto& row : tx.exec("SELECT user_id, workspace_id, role FROM roles")) {
    const auto user = row[0].as<int64_t>();
    Raise(user == 0 ? &everybodys : &own[user],
          WorkspaceId(row[1].as<int64_t>()),
          internal::AccessNamed(row[2].as<std::string>()));
  }
  const auto shared = std::make_shared<const core::Grants>(everybodys);
  for (auto& [id, user] : people->users) user.grants = shared;
  for (auto& [id, grants] : own) {
    const auto user = people->users.find(id);
    if (user == people->users.end()) continue;
    Raise(&grants, WorkspaceId(), everybodys.everywhere);
    for (const auto& [workspace, access] : everybodys.in) Raise(&grants, workspace, access);
    user->second.grants = std::make_shared<const core::Grants>(std::move(grants));
  }
}

void LoadTokens(Tx& tx, People* people) {
  for (const auto& row : tx.exec(StrCat("SELECT sha256, id, user_id, ",
                                        internal::Micros("expires_at"),
                                        " FROM tokens WHERE revoked_at IS NULL"))) {
    const int64_t user = row[2].as<int64_t>();
    // A statement sees what was committed before it: a token may be younger than the users read.
    if (!people->users.contains(user)) continue;
    people->tokens[row[0].as<std::string>()] = {
        row[1].as<int64_t>(), user, internal::ToMaybeTime(row[3]).value_or(absl::InfiniteFuture())};
  }
}

std::string UserColumns() {
  return StrCat("id, handle, name, display_name, active, administrator, ",
                internal::Micros("created_at"));
}

UserRow ToUser(const pqxx::row& row) {
  return {row[0].as<int64_t>(),
          row[1].as<std::string>(),
          row[2].as<std::string>(),
          row[3].as<std::string>(),
          row[4].as<bool>(),
          row[5].as<bool>(),
          internal::ToTime(row[6])};
}

absl::StatusOr<std::string> CheckDisplayName(const std::string& name) {
  return CheckText({.what = "display name", .bytes_max = kNameBytesMax}, name);
}

// False: another has or had it.
bool TakeName(Tx& tx, int64_t user, const std::string& name) {
  return !tx.exec_params(
                "INSERT INTO user_names (folded, user_id) VALUES ($1, $2) ON CONFLICT (folded) "
                "DO UPDATE SET user_id = user_names.user_id "
                "WHERE user_names.user_id = EXCLUDED.user_id RETURNING 1",
                Fold(name),
                user)
              .empty();
}

absl::StatusOr<UserRow> InsertUser(Tx& tx, const NewUser& user) {
  DET_RETURN_IF_ERROR(internal::CheckRoom(tx, "users", kUsersMax));
  const pqxx::result made =
      tx.exec_params(StrCat("INSERT INTO users (handle, name, display_name, administrator) "
                            "VALUES ($1, $1, $2, $3) ON CONFLICT DO NOTHING RETURNING ",
                            UserColumns()),
                     user.name,
                     user.display_name,
                     user.administrator);
  if (made.empty()) return internal::NameTaken("user", user.name);
  UserRow row = ToUser(made[0]);
  if (!TakeName(tx, row.id, user.name)) return internal::NameTaken("user", user.name);
  return row;
}

absl::Status CheckNotBuiltIn(const UserRow& user, const UserChange& change) {
  const bool down = change.active == false || change.administrator == false;
  if (!down || user.handle != kAdminHandle) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "BUILT_IN_USER",
               StrCat("user ", user.name, " stays active and an administrator"),
               "its token is in a file of the master: guard that");
}

std::string Told(const UserRow& user) {
  return StrCat(user.name,
                ", ",
                QuoteJson(user.display_name),
                user.active ? "" : ", inactive",
                user.administrator ? ", administrator" : "");
}

}  // namespace

absl::Status Catalog::Load(Tx& tx) {
  auto people = std::make_shared<People>();
  // First: what is read below is of this version or a newer one, which the next Refresh then reads.
  people->version = tx.exec1("SELECT version FROM catalogue")[0].as<int64_t>();
  LoadUsers(tx, people.get());
  LoadGrants(tx, people.get());
  LoadTokens(tx, people.get());
  for (const auto& row : tx.exec("SELECT id, name FROM workspaces"))
    people->workspaces[WorkspaceId(row[0].as<int64_t>())] = row[1].as<std::string>();
  directory_.Install(std::move(people));
  return absl::OkStatus();
}

absl::Status Catalog::Refresh() {
  const absl::Status done = Read([this](Tx& tx) -> absl::Status {
    const auto version = tx.exec1("SELECT version FROM catalogue")[0].as<int64_t>();
    return version == directory_.people()->version ? absl::OkStatus() : Load(tx);
  });
  if (!done.ok()) return done;
  const std::map<int64_t, absl::Time> used = directory_.TakeUsed();
  if (used.empty()) return absl::OkStatus();
  std::vector<int64_t> ids;
  std::vector<std::string> times;
  for (const auto& [id, at] : used) {
    ids.push_back(id);
    times.push_back(pg::Timestamp(at));
  }
  return Write(false, [&](Tx& tx) {
    tx.exec_params(
        "UPDATE tokens SET last_used_at = used.at FROM unnest($1::bigint[], $2::timestamptz[]) "
        "AS used(id, at) WHERE tokens.id = used.id",
        pg::ArrayOf(ids),
        pg::ArrayOf(times));
    return absl::OkStatus();
  });
}

absl::Status Catalog::EnsureUser(const std::string& name, bool administrator) {
  return Write(true, [&](Tx& tx) -> absl::Status {
    if (!tx.exec_params("SELECT FROM user_names WHERE folded = $1", Fold(name)).empty())
      return absl::OkStatus();
    DET_ASSIGN_OR_RETURN(const UserRow made,
                         InsertUser(tx, {.name = name, .administrator = administrator}));
    internal::Audit(tx,
                    {core::Role::kMaster, ""},
                    {"user.create", StrCat("user ", made.handle), "", Told(made)});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<UserRow>> Catalog::Users(const core::Principal& by, const Page& page) {
  DET_RETURN_IF_ERROR(core::Authorize(by, core::Verb::kRead, {.what = "users"}));
  std::vector<UserRow> rows;
  const absl::Status done = Read([&](Tx& tx) {
    rows.clear();
    for (const auto& row : tx.exec_params(
             StrCat("SELECT ", UserColumns(), " FROM users WHERE id > $1 ORDER BY id LIMIT $2"),
             page.after,
             page.limit))
      rows.push_back(ToUser(row));
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return rows;
}

absl::StatusOr<UserRow> Catalog::CreateUser(const core::Principal& by, const NewUser& user) {
  DET_RETURN_IF_ERROR(core::Authorize(by, core::Verb::kAdminister, {.what = "users"}));
  NewUser checked = user;
  DET_ASSIGN_OR_RETURN(checked.name, CheckUserName(user.name));
  DET_ASSIGN_OR_RETURN(checked.display_name, CheckDisplayName(user.display_name));
  UserRow made;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(made, InsertUser(tx, checked));
    internal::Audit(tx, by, {"user.create", StrCat("user ", made.handle), "", Told(made)});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return made;
}

namespace internal {

core::Access AccessNamed(const std::string& role) {
  if (role == "viewer") return core::Access::kViewer;
  if (role == "editor") return core::Access::kEditor;
  if (role == "administrator") return core::Access::kAdministrator;
  return core::Access::kNone;
}

absl::StatusOr<int64_t> FindUser(Tx& tx, const std::string& name) {
  const pqxx::result rows = tx.exec_params("SELECT user_id FROM user_names WHERE folded = $1",
                                           pg::StorableText(Fold(name)));
  if (!rows.empty()) return rows[0][0].as<int64_t>();
  const pqxx::result names = tx.exec("SELECT name FROM users ORDER BY id LIMIT 1000");
  return Error(absl::StatusCode::kNotFound,
               "USER_NOT_FOUND",
               StrCat("user ", QuoteJson(name), " does not exist"),
               DidYouMean(NearestOf(names, name), "det user list shows all"));
}

}  // namespace internal

absl::StatusOr<UserRow> Catalog::ChangeUser(const core::Principal& by,
                                            const std::string& name,
                                            const UserChange& change) {
  UserChange checked = change;
  if (change.name.has_value()) {
    DET_ASSIGN_OR_RETURN(checked.name, CheckUserName(*change.name));
  }
  if (change.display_name.has_value()) {
    DET_ASSIGN_OR_RETURN(checked.display_name, CheckDisplayName(*change.display_name));
  }
  UserRow after;
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const int64_t id, internal::FindUser(tx, name));
    const UserRow before =
        ToUser(tx.exec_params1(StrCat("SELECT ", UserColumns(), " FROM users WHERE id = $1"), id));
    const bool own = before.handle == by.name && !change.name.has_value() &&
                     !change.active.has_value() && !change.administrator.has_value();
    DET_RETURN_IF_ERROR(core::Authorize(by,
                                        own ? core::Verb::kRead : core::Verb::kAdminister,
                                        {.what = StrCat("user ", before.name)}));
    DET_RETURN_IF_ERROR(CheckNotBuiltIn(before, checked));
    if (checked.name.has_value() && !TakeName(tx, id, *checked.name))
      return internal::NameTaken("user", *checked.name);
    after = ToUser(tx.exec_params1(
        StrCat("UPDATE users SET name = coalesce($2, name), "
               "display_name = coalesce($3, display_name), active = coalesce($4, active), "
               "administrator = coalesce($5, administrator) WHERE id = $1 RETURNING ",
               UserColumns()),
        id,
        checked.name.has_value() ? checked.name->c_str() : nullptr,
        checked.display_name.has_value() ? checked.display_name->c_str() : nullptr,
        checked.active.has_value() ? (*checked.active ? "true" : "false") : nullptr,
        checked.administrator.has_value() ? (*checked.administrator ? "true" : "false") : nullptr));
    internal::Audit(
        tx, by, {"user.change", StrCat("user ", before.handle), Told(before), Told(after)});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return after;
}

}  // namespace det::catalog
