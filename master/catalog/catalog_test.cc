#include "master/catalog/catalog.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/clock/clock.h"
#include "master/testing/test_database.h"

namespace det::catalog {
namespace {

using core::Access;
using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
std::string Reason(const absl::StatusOr<T>& result) {
  return ErrorReason(result.status());
}
std::string Message(const absl::Status& status) {
  return std::string(FromAbsl(status.message()));
}

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() {
    files_.Add(Secret("file-of-admin-1234567"), {core::Role::kAdmin, "admin"});
    files_.Add(Secret("file-of-ann-123456789"), {core::Role::kUser, "ann"});
    EXPECT_TRUE(catalog_.EnsureUser("admin", true).ok());
    EXPECT_TRUE(catalog_.EnsureUser("ann", false).ok());
    EXPECT_TRUE(catalog_.CreateUser(Admin(), {.name = "bob"}).ok());
  }

  core::Principal Admin() const { return *directory_.Find("admin"); }
  core::Principal As(const std::string& handle) const { return *directory_.Find(handle); }

  // An experiment as the journal would have put it.
  void PutExperiment(int64_t id, bool ended, const std::string& owner = "ann") {
    database_.Exec(StrCat(
        "INSERT INTO experiments (id, name, owner, state, reason_code, reason_text, reason_actor, "
        "context, searcher, metric, smaller_is_better, pool, priority, progress, trials_created, "
        "trials_closed, created_at, ended_at) VALUES (",
        id,
        ", 'x', '",
        owner,
        "', '",
        ended ? "COMPLETED" : "ACTIVE",
        "', '', '', '', '', '', '', true, 'default', 42, 0, 0, 0, now(), ",
        ended ? "now()" : "NULL",
        ")"));
  }
  std::string Column(int64_t id, const std::string& column) const {
    return database_.Text(StrCat("SELECT ", column, "::text FROM experiments WHERE id = ", id));
  }
  absl::Status Edit(const core::Principal& by, int64_t id, const ExperimentEdit& edit) {
    return catalog_.EditExperiment(by, ExperimentId(id), edit);
  }
  std::string Audit() const {
    return database_.Text(
        "SELECT actor || ' ' || verb || ' ' || object || ': ' || before || ' -> ' || after "
        "FROM audit ORDER BY id DESC LIMIT 1");
  }

  test::TestDatabase database_;
  const int64_t epoch_ = database_.TakeLease();
  SystemClock clock_;
  auth::TokenTable files_;
  Directory directory_{files_, clock_};
  Catalog catalog_{database_.conninfo(), epoch_, directory_};
};

TEST_F(CatalogTest, UsersAreMadeChangedAndListedInPages) {
  const auto made = catalog_.CreateUser(Admin(), {.name = "Carol", .display_name = " Carol Ö "});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->display_name, "Carol Ö");
  EXPECT_EQ(Audit(), "user:admin user.create user Carol:  -> Carol, \"Carol Ö\"");
  EXPECT_EQ(Reason(catalog_.CreateUser(Admin(), {.name = "cAROL"})), "NAME_TAKEN");
  EXPECT_EQ(Reason(catalog_.CreateUser(Admin(), {.name = "a b"})), "INVALID_NAME");
  EXPECT_EQ(Reason(catalog_.CreateUser(As("ann"), {.name = "dave"})), "FORBIDDEN");
  std::vector<std::string> names;
  Page page{.limit = 3};
  while (true) {
    const auto rows = catalog_.Users(As("ann"), page);
    ASSERT_TRUE(rows.ok());
    for (const UserRow& row : *rows) names.push_back(row.name);
    if (rows->size() < 3) break;
    page.after = rows->back().id;
  }
  EXPECT_THAT(names, ElementsAre("admin", "ann", "bob", "Carol"));
}

TEST_F(CatalogTest, ARenamedUserKeepsWhatIsTheirsAndTheirNamesStayTheirs) {
  PutExperiment(1, true);
  ASSERT_TRUE(catalog_.ChangeUser(Admin(), "ANN", {.name = "anna"}).ok());
  EXPECT_EQ(directory_.NameOf("ann"), "anna");
  // The file still names her as she was called.
  const auto by_file = directory_.Authenticate("Bearer file-of-ann-123456789");
  ASSERT_TRUE(by_file.ok());
  EXPECT_EQ(by_file->name, "ann");
  ASSERT_TRUE(catalog_.SetRole(Admin(), "Uncategorized", kEverybody, Access::kViewer).ok());
  EXPECT_TRUE(Edit(As("ann"), 1, SetNotes{"mine"}).ok());
  EXPECT_EQ(Reason(catalog_.CreateUser(Admin(), {.name = "Ann"})), "NAME_TAKEN");
  EXPECT_EQ(Reason(catalog_.ChangeUser(Admin(), "bob", {.name = "ANNA"})), "NAME_TAKEN");
  EXPECT_TRUE(catalog_.ChangeUser(Admin(), "anna", {.name = "Ann"}).ok());
  const auto lost = catalog_.ChangeUser(Admin(), "bobb", {.active = false});
  EXPECT_EQ(Reason(lost), "USER_NOT_FOUND");
  EXPECT_EQ(ErrorHint(lost.status()), "did you mean \"bob\"?");
}

TEST_F(CatalogTest, WhoIsDeactivatedIsLetInNoMore) {
  const auto token = catalog_.CreateToken(As("bob"), {.name = "laptop"});
  ASSERT_TRUE(token.ok());
  const std::string bearer = StrCat("Bearer ", token->token.Reveal());
  EXPECT_EQ(directory_.Authenticate(bearer)->name, "bob");
  ASSERT_TRUE(catalog_.ChangeUser(Admin(), "bob", {.active = false}).ok());
  ASSERT_TRUE(catalog_.ChangeUser(Admin(), "ann", {.active = false}).ok());
  EXPECT_EQ(Reason(directory_.Authenticate(bearer)), "USER_INACTIVE");
  EXPECT_EQ(Reason(directory_.Authenticate("Bearer file-of-ann-123456789")), "USER_INACTIVE");
  ASSERT_TRUE(catalog_.ChangeUser(Admin(), "bob", {.active = true}).ok());
  EXPECT_TRUE(directory_.Authenticate(bearer).ok());
  EXPECT_EQ(Reason(catalog_.ChangeUser(Admin(), "admin", {.active = false})), "BUILT_IN_USER");
  EXPECT_EQ(Reason(catalog_.ChangeUser(As("bob"), "bob", {.administrator = true})), "FORBIDDEN");
  EXPECT_TRUE(catalog_.ChangeUser(As("bob"), "bob", {.display_name = "Bob"}).ok());
}

TEST_F(CatalogTest, OnlyAHashOfATokenIsStoredAndItEnds) {
  const auto made = catalog_.CreateToken(As("ann"), {.name = "ci", .life = absl::Hours(1)});
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(made->token.Reveal().starts_with("det_"));
  for (const char* table : {"tokens", "audit"})
    EXPECT_EQ(database_.Count(StrCat("SELECT count(*) FROM ",
                                     table,
                                     " x WHERE x::text LIKE '%",
                                     made->token.Reveal().substr(8),
                                     "%'")),
              0);
  const std::string bearer = StrCat("Bearer ", made->token.Reveal());
  EXPECT_TRUE(directory_.Authenticate(bearer).ok());
  ASSERT_TRUE(catalog_.Refresh().ok());
  const auto rows = catalog_.Tokens(As("ann"), "", {});
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_TRUE((*rows)[0].last_used_at.has_value());
  // Another's can neither be seen nor revoked.
  EXPECT_EQ(Reason(catalog_.Tokens(As("bob"), "ann", {})), "FORBIDDEN");
  EXPECT_EQ(Reason(catalog_.Tokens(As("bob"), "*", {})), "FORBIDDEN");
  EXPECT_EQ(ErrorReason(catalog_.RevokeToken(As("bob"), made->row.id)), "TOKEN_NOT_FOUND");
  EXPECT_EQ(Reason(catalog_.CreateToken(As("bob"), {.user = "ann", .name = "x"})), "FORBIDDEN");
  database_.Exec("UPDATE tokens SET expires_at = now() - interval '1 second'");
  database_.Exec("UPDATE catalogue SET version = version + 1");
  ASSERT_TRUE(catalog_.Refresh().ok());
  EXPECT_EQ(Reason(directory_.Authenticate(bearer)), "TOKEN_EXPIRED");
  ASSERT_TRUE(catalog_.RevokeToken(Admin(), made->row.id).ok());
  EXPECT_EQ(Reason(directory_.Authenticate(bearer)), "UNAUTHENTICATED");
  EXPECT_EQ(ErrorReason(catalog_.RevokeToken(Admin(), made->row.id)), "TOKEN_NOT_FOUND");
}

TEST_F(CatalogTest, ARoleActsAtOnceAndSoDoesItsEnd) {
  ASSERT_TRUE(catalog_.CreateWorkspace(As("ann"), "Vision").ok());
  ASSERT_TRUE(catalog_.CreateProject(As("ann"), {"vision", "Digits"}, "").ok());
  const ProjectName digits{"Vision", "digits"};
  // Without a role there it is as if it were not there.
  EXPECT_EQ(Reason(catalog_.Place(As("bob"), digits)), "WORKSPACE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(catalog_.SetRole(As("bob"), "Vision", "bob", Access::kEditor)),
            "WORKSPACE_NOT_FOUND");
  ASSERT_TRUE(catalog_.SetRole(As("ann"), "Vision", "bob", Access::kEditor).ok());
  EXPECT_TRUE(catalog_.Place(As("bob"), digits).ok());
  ASSERT_TRUE(catalog_.SetRole(As("ann"), "Vision", "bob", Access::kViewer).ok());
  EXPECT_EQ(Reason(catalog_.Place(As("bob"), digits)), "FORBIDDEN");
  EXPECT_TRUE(catalog_.Project(As("bob"), digits).ok());
  ASSERT_TRUE(catalog_.SetRole(As("ann"), "Vision", "bob", Access::kNone).ok());
  EXPECT_EQ(Reason(catalog_.Project(As("bob"), digits)), "WORKSPACE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(catalog_.SetRole(As("ann"), "Vision", "bob", Access::kNone)),
            "ROLE_NOT_FOUND");
  // In all workspaces: administrators of the cluster alone.
  EXPECT_EQ(ErrorReason(catalog_.SetRole(As("ann"), "", "bob", Access::kViewer)), "FORBIDDEN");
  ASSERT_TRUE(catalog_.SetRole(Admin(), "", "bob", Access::kViewer).ok());
  EXPECT_TRUE(catalog_.Project(As("bob"), digits).ok());
  const auto roles = catalog_.Roles(As("bob"), "Vision");
  ASSERT_TRUE(roles.ok());
  ASSERT_EQ(roles->size(), 2U);
  EXPECT_EQ((*roles)[0].user, "bob");
  EXPECT_EQ((*roles)[0].workspace, "");
  EXPECT_EQ((*roles)[1].user, "ann");
  EXPECT_EQ((*roles)[1].role, Access::kAdministrator);
}

TEST_F(CatalogTest, AChangeThatCameAnotherWayIsSeenByItsVersion) {
  database_.Exec("DELETE FROM roles");
  database_.Exec("UPDATE catalogue SET version = version + 1");
  EXPECT_TRUE(catalog_.Place(As("ann"), {}).ok());
  ASSERT_TRUE(catalog_.Refresh().ok());
  EXPECT_EQ(Reason(catalog_.Place(As("ann"), {})), "WORKSPACE_NOT_FOUND");
}

TEST_F(CatalogTest, ListsHoldWhatTheCallerSees) {
  ASSERT_TRUE(catalog_.CreateWorkspace(As("ann"), "Vision").ok());
  ASSERT_TRUE(catalog_.CreateProject(As("ann"), {"Vision", "Digits"}, "d").ok());
  ASSERT_TRUE(
      catalog_.SetTemplate(As("ann"), {.name = "gpu", .workspace = "Vision", .config = "{}"}).ok());
  EXPECT_EQ(catalog_.Workspaces(As("bob"), {})->size(), 1U);
  EXPECT_EQ(catalog_.Workspaces(As("ann"), {})->size(), 2U);
  EXPECT_EQ(catalog_.Workspaces(Admin(), {})->size(), 2U);
  EXPECT_EQ(catalog_.Projects(As("bob"), "", {})->size(), 1U);
  EXPECT_EQ(catalog_.Projects(As("ann"), "", {})->size(), 2U);
  const auto hidden = catalog_.Projects(As("bob"), "Vision", {});
  EXPECT_EQ(Reason(hidden), "WORKSPACE_NOT_FOUND");
  EXPECT_EQ(ErrorHint(catalog_.Projects(As("bob"), "Visio", {}).status()),
            ErrorHint(hidden.status()));
  EXPECT_EQ(catalog_.Templates(As("bob"), {})->size(), 0U);
  EXPECT_EQ(catalog_.Templates(As("ann"), {})->size(), 1U);
  EXPECT_EQ(Reason(catalog_.Template(As("bob"), "gpu")), "TEMPLATE_NOT_FOUND");
  EXPECT_EQ(Reason(catalog_.SetTemplate(As("bob"), {.name = "GPU", .config = "{}"})), "NAME_TAKEN");
}

TEST_F(CatalogTest, AWorkspaceGoesOnlyWhenItIsEmpty) {
  ASSERT_TRUE(catalog_.CreateWorkspace(As("ann"), "Vision").ok());
  EXPECT_EQ(Reason(catalog_.CreateWorkspace(As("bob"), "VISION")), "NAME_TAKEN");
  ASSERT_TRUE(catalog_.CreateProject(As("ann"), {"Vision", "Digits"}, "").ok());
  EXPECT_EQ(Reason(catalog_.CreateProject(As("ann"), {"Vision", "dIGITS"}, "")), "NAME_TAKEN");
  EXPECT_EQ(ErrorReason(catalog_.DeleteWorkspace(As("bob"), "Vision")), "WORKSPACE_NOT_FOUND");
  const absl::Status full = catalog_.DeleteWorkspace(As("ann"), "Vision");
  EXPECT_EQ(ErrorReason(full), "NOT_EMPTY");
  EXPECT_EQ(Message(full), "workspace \"Vision\" holds 1 project: Digits");
  const ProjectName digits{"Vision", "Digits"};
  PutExperiment(7, true);
  ASSERT_TRUE(Edit(As("ann"), 7, MoveTo{digits}).ok());
  const absl::Status holds = catalog_.DeleteProject(As("ann"), digits);
  EXPECT_EQ(ErrorReason(holds), "NOT_EMPTY");
  EXPECT_EQ(Message(holds), "project \"Vision/Digits\" holds 1 experiment: 7");
  ASSERT_TRUE(Edit(As("ann"), 7, MoveTo{}).ok());
  EXPECT_TRUE(catalog_.DeleteProject(As("ann"), digits).ok());
  EXPECT_TRUE(catalog_.DeleteWorkspace(As("ann"), "Vision").ok());
  EXPECT_EQ(ErrorReason(catalog_.DeleteWorkspace(As("ann"), "Vision")), "WORKSPACE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(catalog_.DeleteWorkspace(Admin(), "Uncategorized")), "BUILT_IN");
  EXPECT_EQ(ErrorReason(catalog_.DeleteProject(Admin(), {})), "BUILT_IN");
}

TEST_F(CatalogTest, AProjectStaysWhileAnExperimentIsOnItsWay) {
  ASSERT_TRUE(catalog_.CreateProject(As("ann"), {"Uncategorized", "p"}, "").ok());
  const ProjectName name{"Uncategorized", "p"};
  auto placement = catalog_.Place(As("ann"), name);
  ASSERT_TRUE(placement.ok());
  EXPECT_EQ(ErrorReason(catalog_.DeleteProject(As("ann"), name)), "PROJECT_BUSY");
  placement->hold.reset();
  EXPECT_TRUE(catalog_.DeleteProject(As("ann"), name).ok());
  EXPECT_EQ(Reason(catalog_.Place(As("ann"), name)), "PROJECT_NOT_FOUND");
}

TEST_F(CatalogTest, NothingNewGoesToWhatIsArchived) {
  ASSERT_TRUE(catalog_.CreateWorkspace(As("ann"), "Vision").ok());
  ASSERT_TRUE(catalog_.CreateProject(As("ann"), {"Vision", "a"}, "").ok());
  ASSERT_TRUE(catalog_.ChangeProject(As("ann"), {"Vision", "a"}, {.archived = true}).ok());
  EXPECT_EQ(Reason(catalog_.Place(As("ann"), {"Vision", "a"})), "ARCHIVED");
  EXPECT_EQ(catalog_.Projects(As("ann"), "Vision", {})->size(), 0U);
  EXPECT_EQ(catalog_.Projects(As("ann"), "Vision", {.archived = true})->size(), 1U);
  PutExperiment(1, true);
  EXPECT_EQ(ErrorReason(Edit(As("ann"), 1, MoveTo{{"Vision", "a"}})), "ARCHIVED");
  ASSERT_TRUE(catalog_.ChangeProject(As("ann"), {"Vision", "a"}, {.archived = false}).ok());
  ASSERT_TRUE(catalog_.ChangeWorkspace(As("ann"), "Vision", {.archived = true}).ok());
  EXPECT_EQ(Reason(catalog_.Place(As("ann"), {"Vision", "a"})), "ARCHIVED");
  EXPECT_EQ(Reason(catalog_.CreateProject(As("ann"), {"Vision", "b"}, "")), "ARCHIVED");
  EXPECT_EQ(Reason(catalog_.Place(As("ann"), {"Vision", ""})), "BOTH_OR_NEITHER");
}

TEST_F(CatalogTest, AProjectMovesWithItsExperimentsOnceTheyHaveEnded) {
  ASSERT_TRUE(catalog_.CreateWorkspace(As("ann"), "Vision").ok());
  ASSERT_TRUE(catalog_.CreateProject(As("ann"), {"Uncategorized", "p"}, "").ok());
  PutExperiment(1, false);
  ASSERT_TRUE(Edit(As("ann"), 1, MoveTo{{"Uncategorized", "p"}}).ok());
  const auto live = catalog_.MoveProject(As("ann"), {"Uncategorized", "p"}, "Vision");
  EXPECT_EQ(Reason(live), "EXPERIMENTS_LIVE");
  EXPECT_THAT(Message(live.status()), HasSubstr("1 experiment: 1"));
  EXPECT_EQ(ErrorReason(Edit(As("ann"), 1, MoveTo{{"Vision", "q"}})), "PROJECT_NOT_FOUND");
  database_.Exec("UPDATE experiments SET ended_at = now()");
  ASSERT_TRUE(catalog_.MoveProject(As("ann"), {"Uncategorized", "p"}, "Vision").ok());
  EXPECT_EQ(Column(1, "workspace_id"), database_.Text("SELECT max(id) FROM workspaces"));
  EXPECT_EQ(ErrorReason(Edit(As("bob"), 1, SetNotes{"x"})), "EXPERIMENT_NOT_FOUND");
}

// Who may not delete it may not take it to where they may.
TEST_F(CatalogTest, OnlyWhoMayDeleteTakesAnExperimentOrAProjectAway) {
  ASSERT_TRUE(catalog_.CreateWorkspace(As("bob"), "Bobs").ok());
  ASSERT_TRUE(catalog_.CreateProject(As("bob"), {"Bobs", "p"}, "").ok());
  ASSERT_TRUE(catalog_.CreateProject(As("bob"), {"Uncategorized", "shared"}, "").ok());
  PutExperiment(1, true);  // ann's
  EXPECT_TRUE(Edit(As("bob"), 1, MoveTo{{"Uncategorized", "shared"}}).ok());
  EXPECT_EQ(ErrorReason(Edit(As("bob"), 1, MoveTo{{"Bobs", "p"}})), "FORBIDDEN");
  EXPECT_EQ(Reason(catalog_.MoveProject(As("bob"), {"Uncategorized", "shared"}, "Bobs")),
            "FORBIDDEN");
  ASSERT_TRUE(catalog_.SetRole(Admin(), "Bobs", "ann", Access::kEditor).ok());
  EXPECT_TRUE(Edit(As("ann"), 1, MoveTo{{"Bobs", "p"}}).ok());
}

TEST_F(CatalogTest, AWorkspaceWithAQuotaKeepsItsName) {
  catalog_.Pin({{"Vision", 4}});
  ASSERT_TRUE(catalog_.CreateWorkspace(As("ann"), "vision").ok());
  ASSERT_TRUE(catalog_.CreateWorkspace(As("ann"), "other").ok());
  EXPECT_EQ(Reason(catalog_.ChangeWorkspace(As("ann"), "vision", {.name = "x"})), "QUOTA_BY_NAME");
  EXPECT_EQ(Reason(catalog_.ChangeWorkspace(As("ann"), "other", {.name = "Vision"})), "NAME_TAKEN");
}

TEST_F(CatalogTest, ExperimentsAreEditedAndEachEditIsAudited) {
  PutExperiment(1, false);
  PutExperiment(2, true);
  const core::Principal ann = As("ann");
  EXPECT_EQ(ErrorReason(Edit(ann, 1, SetArchived{true})), "EXPERIMENT_LIVE");
  ASSERT_TRUE(Edit(ann, 2, SetArchived{true}).ok());
  EXPECT_EQ(Audit(), "user:ann experiment.archived experiment 2: false -> true");
  EXPECT_EQ(ErrorReason(Edit(ann, 2, MoveTo{{"Uncategorized", "Uncategorized"}})), "");
  ASSERT_TRUE(Edit(ann, 2, SetArchived{false}).ok());
  ASSERT_TRUE(Edit(ann, 1, SetName{"  digits "}).ok());
  EXPECT_EQ(Column(1, "name"), "digits");
  EXPECT_EQ(ErrorReason(Edit(ann, 1, SetName{"  "})), "INVALID_TEXT");
  EXPECT_EQ(ErrorReason(Edit(ann, 1, SetName{"a\xE2\x80\xAEz"})), "INVALID_TEXT");
  EXPECT_EQ(ErrorReason(Edit(ann, 1, SetDescription{std::string(10000, 'x')})), "INVALID_TEXT");
  ASSERT_TRUE(Edit(ann, 1, SetNotes{"line\nline"}).ok());
  EXPECT_EQ(Column(1, "notes"), "line\nline");
  ASSERT_TRUE(Edit(ann, 1, ChangeLabels{{" b\"c ", "A", "a", "A"}, {}}).ok());
  ASSERT_TRUE(Edit(ann, 1, ChangeLabels{{"d"}, {"A", "none"}}).ok());
  EXPECT_EQ(Column(1, "labels"), "{a,\"b\\\"c\",d}");
  const int64_t lines = database_.Count("SELECT count(*) FROM audit");
  ASSERT_TRUE(Edit(ann, 1, ChangeLabels{{"d"}, {}}).ok());
  EXPECT_EQ(database_.Count("SELECT count(*) FROM audit"), lines);
  std::vector<std::string> many;
  for (int i = 0; i < 101; ++i) many.push_back(StrCat("l", i));
  EXPECT_EQ(ErrorReason(Edit(ann, 1, ChangeLabels{many, {}})), "TOO_MANY");
  EXPECT_EQ(Column(1, "cardinality(labels)"), "3");
  EXPECT_EQ(ErrorReason(Edit(ann, 77, SetNotes{"x"})), "EXPERIMENT_NOT_FOUND");
}

TEST_F(CatalogTest, TemplatesAreSetRenamedAndTaken) {
  ASSERT_TRUE(catalog_.SetTemplate(As("ann"), {.name = "gpu", .config = "a: 1"}).ok());
  EXPECT_EQ(Reason(catalog_.SetTemplate(As("bob"),
                                        {.name = "GPU", .config = "a: 2", .must_be_new = true})),
            "NAME_TAKEN");
  ASSERT_TRUE(catalog_.SetTemplate(As("ann"), {.name = "gpu", .config = "a: 3"}).ok());
  EXPECT_EQ(catalog_.Template(As("bob"), "Gpu")->config, "a: 3");
  ASSERT_TRUE(catalog_.SetTemplate(As("ann"), {.name = "cpu", .config = ""}).ok());
  EXPECT_EQ(Reason(catalog_.RenameTemplate(As("ann"), "cpu", "GPU")), "NAME_TAKEN");
  EXPECT_TRUE(catalog_.RenameTemplate(As("ann"), "gpu", "GPU").ok());
  const auto lost = catalog_.Template(As("bob"), "gpuu");
  EXPECT_EQ(ErrorHint(lost.status()), "did you mean \"GPU\"?");
  EXPECT_TRUE(catalog_.DeleteTemplate(As("ann"), "gpu").ok());
  EXPECT_EQ(Reason(catalog_.Template(As("bob"), "gpu")), "TEMPLATE_NOT_FOUND");
}

TEST_F(CatalogTest, AMasterWithoutTheLeaseChangesNothing) {
  PutExperiment(1, true);
  database_.TakeLease();
  EXPECT_EQ(catalog_.CreateWorkspace(Admin(), "x").status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Edit(Admin(), 1, SetNotes{"x"}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Column(1, "notes"), "");
}

// Eight threads do the same things to the same few names. Whatever the order: no name is there
// twice, each success has its line in the audit and nothing but a refusal comes back otherwise.
TEST_F(CatalogTest, ManyWhoFightOverNamesLeaveOneOfEach) {
  PutExperiment(1, true);
  std::atomic<int64_t> successes{0};
  std::atomic<int64_t> oddities{0};
  const int64_t before = database_.Count("SELECT count(*) FROM audit");
  const std::set<std::string> expected = {"NAME_TAKEN",
                                          "WORKSPACE_NOT_FOUND",
                                          "PROJECT_NOT_FOUND",
                                          "NOT_EMPTY",
                                          "ARCHIVED",
                                          "PROJECT_BUSY",
                                          "USER_NOT_FOUND"};
  const auto note = [&](const absl::Status& status) {
    if (status.ok()) {
      ++successes;
    } else if (!expected.contains(ErrorReason(status))) {
      ++oddities;
      ADD_FAILURE() << status;
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const core::Principal admin = Admin();
      for (int i = 0; i < 12; ++i) {
        const std::string name = StrCat(i % 2 == 0 ? "W" : "w", i % 3);
        const std::string other = StrCat("W", (i + t) % 3);
        note(catalog_.CreateWorkspace(admin, name).status());
        note(catalog_.CreateProject(admin, {other, "P"}, "").status());
        note(catalog_.ChangeWorkspace(admin, name, {.name = other}).status());
        note(catalog_.ChangeWorkspace(admin, other, {.archived = i % 2 == 0}).status());
        note(catalog_.MoveProject(admin, {other, "p"}, name).status());
        note(catalog_.DeleteProject(admin, {name, "p"}));
        note(catalog_.DeleteWorkspace(admin, other));
        note(catalog_.CreateUser(admin, {.name = StrCat(t % 2 == 0 ? "U" : "u", i % 4)}).status());
        const absl::Status labelled = Edit(admin, 1, ChangeLabels{{StrCat("t", t, "-", i)}, {}});
        note(labelled);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(oddities, 0);
  EXPECT_EQ(database_.Count("SELECT count(*) FROM audit") - before, successes);
  EXPECT_EQ(Column(1, "cardinality(labels)"), "96");
  EXPECT_EQ(database_.Count("SELECT count(*) - count(DISTINCT lower(name)) FROM workspaces"), 0);
  EXPECT_EQ(database_.Count("SELECT count(*) FROM users WHERE lower(name) LIKE 'u_'"), 4);
  EXPECT_EQ(database_.Count("SELECT count(*) - count(DISTINCT (workspace_id, lower(name))) "
                            "FROM projects"),
            0);
  EXPECT_EQ(database_.Count("SELECT count(*) FROM roles r WHERE workspace_id <> 0 AND NOT EXISTS "
                            "(SELECT FROM workspaces w WHERE w.id = r.workspace_id)"),
            0);
}

}  // namespace
}  // namespace det::catalog
