// Lists by filter, sort and page, on a real PostgreSQL.
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/journal/postgres_journal.h"
#include "master/store/read_store.h"
#include "master/testing/commands.h"
#include "master/testing/scenario.h"
#include "master/testing/test_database.h"
#include "master/testing/test_engine.h"

namespace det::store {
namespace {

constexpr int64_t kExperiments = 2500;

// Many experiments, each with one trial, made of those that an engine has written.
class ListsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    database = new test::TestDatabase();
    {
      journal::PostgresJournal journal(database->conninfo(), "a/1/1");
      test::TestEngine engine(journal);
      engine.Must(test::Submit());
    }
    database->Exec(StrCat(
        "INSERT INTO trials SELECT (jsonb_populate_record(t, jsonb_build_object('id', n, "
        "'experiment_id', n, 'hparams', jsonb_build_object('lr', (n * 31) % 500 / 500.0)))).* "
        "FROM trials t, generate_series(2, ",
        kExperiments,
        ") AS n WHERE t.id = 1"));
    database->Exec(StrCat(
        "INSERT INTO experiments SELECT (jsonb_populate_record(e, jsonb_build_object('id', n, "
        "'name', 'run ' || n, 'owner', (ARRAY['ann', 'bob'])[1 + n % 2], 'state', "
        "(ARRAY['ACTIVE', 'COMPLETED', 'ERROR'])[1 + n % 3], 'best_trial', n, 'best_metric', "
        "CASE WHEN n % 5 > 0 THEN to_jsonb((n * 7919) % 1000 / 1000.0) END, 'created_at', "
        "timestamptz '2026-01-01Z' + n * interval '1 minute'))).* FROM experiments e, "
        "generate_series(2, ",
        kExperiments,
        ") AS n WHERE e.id = 1"));
    database->Exec("ANALYZE");
    store = new ReadStore(database->conninfo());
  }
  static void TearDownTestSuite() {
    delete store;
    delete database;
  }

  static std::vector<int64_t> Expected(const std::string& condition, const std::string& order) {
    std::vector<int64_t> ids;
    std::string text =
        database->Text(StrCat("SELECT string_agg(e.id::text, ',' ORDER BY ",
                              order,
                              ") FROM experiments e JOIN trials t ON t.id = e.id WHERE ",
                              condition));
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(',', at), text.size());
      ids.push_back(std::stoll(text.substr(at, end - at)));
      at = end + 1;
    }
    return ids;
  }

  // All pages of a list.
  static std::vector<int64_t> All(ListQuery query) {
    std::vector<int64_t> ids;
    query.now = absl::FromUnixSeconds(1'800'000'000);
    do {
      const auto page = store->ListExperiments(query, {});
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(static_cast<int64_t>(page->rows.size()), query.limit);
      for (const ExperimentRow& row : page->rows) ids.push_back(row.id.value());
      query.page = page->next;
    } while (!query.page.empty());
    return ids;
  }

  static inline test::TestDatabase* database = nullptr;
  static inline ReadStore* store = nullptr;
};

TEST_F(ListsTest, PagesHoldEachRowThatTheFilterLetsThroughOnceInOrder) {
  struct Case {
    ListQuery query;
    std::string condition;
    std::string order;
  };
  const std::vector<Case> cases = {
      {{.limit = 999}, "true", "e.id DESC"},
      {{.sort = {"id"}, .limit = 700}, "true", "e.id"},
      {{.filter = "state = ACTIVE and owner = ann", .limit = 100},
       "e.state = 'ACTIVE' AND owner = 'ann'",
       "e.id DESC"},
      {{.filter = "best_metric < 0.2", .sort = {"best_metric", "id:desc"}, .limit = 77},
       "e.best_metric < 0.2",
       "e.best_metric, e.id DESC"},
      {{.filter = "best_metric = null", .limit = 77}, "e.best_metric IS NULL", "e.id DESC"},
      {{.sort = {"-best_metric"}, .limit = 1000},
       "true",
       "e.best_metric DESC NULLS LAST, e.id DESC"},
      {{.filter = "hparams.lr < 0.1", .limit = 50},
       "(t.hparams->>'lr')::float8 < 0.1",
       "e.id DESC"},
      {{.filter = "created >= 2026-01-02", .sort = {"hparams.lr:desc"}, .limit = 300},
       "e.created_at >= '2026-01-02Z'",
       "(t.hparams->>'lr')::float8 DESC NULLS LAST, e.id DESC"},
      {{.filter = "name =~ '7$'", .limit = 33}, "name LIKE '%7'", "e.id DESC"},
      {{.filter = "name =~ '7$' and not owner = ann", .sort = {"name"}, .limit = 33},
       "name LIKE '%7' AND owner <> 'ann'",
       "name COLLATE \"C\", e.id DESC"},
      {{.filter = "workspace = Nowhere or archived", .limit = 10}, "e.archived", "e.id"},
      {{.filter = "not labels = baseline and description = null", .limit = 999},
       "NOT e.labels @> '{baseline}' AND e.description = ''",
       "e.id DESC"},
      {{.filter = "project = Uncategorized", .sort = {"workspace", "id"}, .limit = 999},
       "e.project_id = (SELECT min(id) FROM projects WHERE name = 'Uncategorized')",
       "e.id"},
      {{.filter = "name =~ nothing", .limit = 10}, "false", "e.id"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(All(c.query), Expected(c.condition, c.order))
        << c.query.filter << " by " << (c.query.sort.empty() ? "id" : c.query.sort[0]);
  }
}

// Whoever becomes the best, as the journal tells the table.
TEST_F(ListsTest, TheBestTrialsHyperparametersFollowIt) {
  const auto beside = [&] {
    return database->Text("SELECT best_hparams ->> 'lr' FROM experiments WHERE id = 100");
  };
  const auto of = [&](int64_t trial) {
    return database->Text(StrCat("SELECT hparams ->> 'lr' FROM trials WHERE id = ", trial));
  };
  EXPECT_EQ(beside(), of(100));
  database->Exec("UPDATE experiments SET best_trial = 107 WHERE id = 100");
  EXPECT_EQ(beside(), of(107));
  EXPECT_NE(of(100), of(107));
  database->Exec("UPDATE experiments SET best_trial = 100 WHERE id = 100");
  EXPECT_EQ(beside(), of(100));
}

TEST_F(ListsTest, APageByIdIsReadFromTheIndex) {
  const auto page = store->ListExperiments({.page = "i2000", .limit = 5}, {});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->rows.front().id.value(), 1999);
  EXPECT_EQ(page->next, "i1995");
}

TEST_F(ListsTest, TrialsAreFilteredWithinAnExperimentAndOfAll) {
  const auto all = store->ListTrials({.filter = "hparams.lr = 0.5", .limit = 1000}, {});
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(static_cast<int64_t>(all->rows.size()),
            database->Count("SELECT count(*) FROM trials WHERE (hparams->>'lr')::float8 = 0.5"));
  EXPECT_GT(all->rows.front().id, all->rows.back().id);
  const auto one = store->ListTrials({.filter = "experiment = 7"}, {.experiment = ExperimentId(7)});
  ASSERT_TRUE(one.ok() && one->rows.size() == 1);
  const auto none = store->ListTrials({}, {.only_live = true});
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->rows.empty());
}

TEST_F(ListsTest, RefusesPagesThatItNeverGave) {
  for (const char* page :
       {"x", "i", "ix", "o-1", "i99999999999999999999", "i7; DROP TABLE trials"}) {
    EXPECT_EQ(ErrorReason(store->ListExperiments({.page = page}, {}).status()), "BAD_PAGE") << page;
  }
  EXPECT_EQ(ErrorReason(store->ListExperiments({.sort = {"name"}, .page = "i7"}, {}).status()),
            "BAD_PAGE");
  EXPECT_EQ(ErrorReason(store->ListExperiments({.page = "o1000001"}, {}).status()), "PAGE_TOO_FAR");
}

TEST_F(ListsTest, WhatIsWrongWithAFilterIsShown) {
  const absl::Status status = store->ListExperiments({.filter = "stat = ACTIVE"}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(status), "BAD_FILTER");
  EXPECT_EQ(ErrorReason(store->ListTrials({.sort = {"x"}}, {}).status()), "BAD_SORT");
  const auto quoted = store->ListExperiments({.filter = "name = \"'; DROP TABLE trials; --\""}, {});
  ASSERT_TRUE(quoted.ok());
  EXPECT_TRUE(quoted->rows.empty());
}

}  // namespace
}  // namespace det::store
