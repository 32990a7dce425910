#include "common/pg/pg.h"
#include "master/catalog/change.h"

namespace det::catalog {

using internal::Tx;

namespace {

std::string TokenSelect() {
  return StrCat("SELECT t.id, w.name, t.name, ",
                internal::Micros("t.created_at"),
                ", ",
                internal::Micros("t.expires_at"),
                ", ",
                internal::Micros("t.last_used_at"),
                " FROM tokens t JOIN users w ON w.id = t.user_id ");
}

TokenRow ToToken(const pqxx::row& row) {
  return {row[0].as<int64_t>(),
          row[1].as<std::string>(),
          row[2].as<std::string>(),
          internal::ToTime(row[3]),
          internal::ToMaybeTime(row[4]),
          internal::ToMaybeTime(row[5])};
}

// Their own everybody; those of others only administrators.
absl::Status MayAct(const core::Principal& by, const std::string& handle) {
  if (handle == by.name) return core::Authorize(by, core::Verb::kRead, {.what = "tokens"});
  return core::Authorize(by, core::Verb::kAdminister, {.what = StrCat("the tokens of ", handle)});
}

absl::Status CheckTokenRoom(Tx& tx, int64_t user) {
  const auto good = tx.exec_params1(
                          "SELECT count(*) FROM tokens WHERE user_id = $1 AND revoked_at IS NULL "
                          "AND (expires_at IS NULL OR expires_at > now())",
                          user)[0]
                        .as<int64_t>();
  if (good < kTokensMax) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted,
               "TOO_MANY",
               StrCat("a user has at most ", kTokensMax, " tokens"),
               "det token revoke ends those that nobody needs");
}

std::string HandleOf(Tx& tx, int64_t user) {
  return tx.exec_params1("SELECT handle FROM users WHERE id = $1", user)[0].as<std::string>();
}

}  // namespace

absl::StatusOr<Catalog::Made> Catalog::CreateToken(const core::Principal& by,
                                                   const NewToken& token) {
  DET_ASSIGN_OR_RETURN(const std::string name, CheckName("token", token.name));
  if (token.life <= absl::ZeroDuration()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_LIFE",
                 "a token that has expired already is of no use",
                 "give it some time: 30d");
  }
  Made made{.token = auth::NewToken()};
  const bool ends = token.life < absl::Hours(24 * 365 * 1000);
  const absl::Status done = Write(true, [&](Tx& tx) -> absl::Status {
    DET_ASSIGN_OR_RETURN(const int64_t user,
                         internal::FindUser(tx, token.user.empty() ? by.name : token.user));
    const std::string handle = HandleOf(tx, user);
    DET_RETURN_IF_ERROR(MayAct(by, handle));
    DET_RETURN_IF_ERROR(CheckTokenRoom(tx, user));
    const auto id =
        tx.exec_params1(
              "INSERT INTO tokens (user_id, name, sha256, expires_at) VALUES ($1, $2, $3, "
              "CASE WHEN $4 THEN now() + $5 * interval '1 second' END) RETURNING id",
              user,
              name,
              auth::HashToken(made.token),
              ends,
              ends ? absl::ToInt64Seconds(token.life) : 0)[0]
            .as<int64_t>();
    made.row = ToToken(tx.exec_params1(StrCat(TokenSelect(), "WHERE t.id = $1"), id));
    internal::Audit(
        tx, by, {"token.create", StrCat("token ", id), "", StrCat(name, " of ", handle)});
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return made;
}

absl::StatusOr<std::vector<TokenRow>> Catalog::Tokens(const core::Principal& by,
                                                      const std::string& user,
                                                      const Page& page) {
  std::vector<TokenRow> rows;
  const absl::Status done = Read([&](Tx& tx) -> absl::Status {
    int64_t id = 0;
    if (user == "*") {
      DET_RETURN_IF_ERROR(core::Authorize(by, core::Verb::kAdminister, {.what = "all tokens"}));
    } else {
      DET_ASSIGN_OR_RETURN(id, internal::FindUser(tx, user.empty() ? by.name : user));
      DET_RETURN_IF_ERROR(MayAct(by, HandleOf(tx, id)));
    }
    rows.clear();
    for (const auto& row :
         tx.exec_params(StrCat(TokenSelect(),
                               "WHERE t.id > $1 AND ($2 = 0 OR t.user_id = $2) AND t.revoked_at IS "
                               "NULL ORDER BY t.id LIMIT $3"),
                        page.after,
                        id,
                        page.limit))
      rows.push_back(ToToken(row));
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return rows;
}

absl::Status Catalog::RevokeToken(const core::Principal& by, int64_t id) {
  return Write(true, [&](Tx& tx) -> absl::Status {
    const pqxx::result found = tx.exec_params(
        "SELECT u.handle, t.name FROM tokens t JOIN users u ON u.id = t.user_id "
        "WHERE t.id = $1 AND t.revoked_at IS NULL FOR UPDATE OF t",
        id);
    // Others' tokens are not told from none.
    if (found.empty() || !MayAct(by, found[0][0].as<std::string>()).ok()) {
      return Error(absl::StatusCode::kNotFound,
                   "TOKEN_NOT_FOUND",
                   StrCat("you have no token ", id),
                   "det token list shows them");
    }
    tx.exec_params("UPDATE tokens SET revoked_at = now() WHERE id = $1", id);
    internal::Audit(tx,
                    by,
                    {"token.revoke",
                     StrCat("token ", id),
                     StrCat(found[0][1].as<std::string>(), " of ", found[0][0].as<std::string>()),
                     "revoked"});
    return absl::OkStatus();
  });
}

}  // namespace det::catalog
