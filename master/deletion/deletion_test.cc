#include <filesystem>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/s3/testing/s3_server.h"
#include "common/testing/eventually.h"
#include "common/testing/tmp_dir.h"
#include "master/deletion/deletions.h"
#include "master/deletion/worker.h"
#include "master/journal/postgres_journal.h"
#include "master/testing/commands.h"
#include "master/testing/scenario.h"
#include "master/testing/test_database.h"
#include "master/testing/test_engine.h"

namespace det::deletion {
namespace {

namespace fs = std::filesystem;

class DeletionTest : public testing::Test {
 protected:
  DeletionTest() : journal_(database_.conninfo(), "a/1/1"), engine_(journal_) {
    engine_.Must(test::Connect(AgentId("a"), 4));
    EXPECT_TRUE(MakeDirs(folder_, 0700).ok());
  }

  std::string SharedFs(const std::string& policy) const {
    return StrCat(R"({"type":"shared_fs","host_path":")", folder_, "\",", policy, "}");
  }

  // Runs an experiment of so many trials to its end; gives each trial a metric and its files.
  void Play(int trials, const std::string& storage) {
    engine_.Must(test::Submit(StrCat(R"({"searcher":{"name":"random","max_trials":)",
                                     trials,
                                     R"(},"max_restarts":0,"checkpoint_storage":)",
                                     storage,
                                     "}")));
    test::PlayToEnd(engine_);
    MakeFiles();
  }

  void MakeFiles() {
    database_.Exec("SELECT det_ensure_partitions(now())");
    database_.Exec(
        "INSERT INTO metrics (trial_id, allocation_id, stream, seq, grp, name, steps, value, at, "
        "received_at) SELECT trial_id, allocation_id, 0, 1, 'validation', 'loss', 2, trial_id, "
        "now(), now() FROM checkpoints");
    for (const std::string& uuid : Uuids("COMPLETED")) {
      EXPECT_TRUE(MakeDirs(StrCat(folder_, "/", uuid), 0700).ok());
      EXPECT_TRUE(
          AtomicWriteFile(StrCat(folder_, "/", uuid, "/model"), std::string(10, 'm'), 0600).ok());
    }
  }

  std::vector<std::string> Uuids(const std::string& state) const {
    std::vector<std::string> out;
    const std::string all = database_.Text(
        StrCat("SELECT string_agg(uuid, ' ' ORDER BY trial_id) FROM checkpoints WHERE state = '",
               state,
               "'"));
    for (size_t at = 0; at < all.size();) {
      const size_t end = std::min(all.find(' ', at), all.size());
      out.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }

  Deletions& deletions() {
    if (deletions_ == nullptr) {
      deletions_ = std::make_unique<Deletions>(database_.conninfo(), engine_.engine().epoch());
    }
    return *deletions_;
  }

  void Start() {
    WorkerOptions options{.look_every = absl::Milliseconds(20),
                          .first_pause = absl::Milliseconds(20),
                          .attempts_max = 1000};
    options.storage.clock = &clock_;
    options.storage.patience = absl::Milliseconds(100);
    options.storage.environment = [](const char* name) -> std::optional<std::string> {
      if (std::string_view(name) == "THE_KEY") return s3::S3Server::kAccessKey;
      return std::nullopt;
    };
    options.secrets = [](const std::string& name, const std::string& owner) {
      const bool found = name == "the-secret" && owner == "ann";
      return found ? absl::StatusOr<Secret>(Secret(s3::S3Server::kSecretKey))
                   : absl::StatusOr<Secret>(absl::NotFoundError("no such secret"));
    };
    worker_ = std::make_unique<Worker>(deletions(), options);
  }

  Deletion Ended(int64_t id) {
    Deletion out;
    EXPECT_TRUE(Eventually([&] {
      out = deletions().ByIds({id}).value().at(0);
      return !out.open();
    })) << out.state
        << " " << out.reason;
    return out;
  }

  bool AllDone() {
    return Eventually([&] {
      return database_.Count("SELECT count(*) FROM deletions WHERE state <> 'DONE'") == 0;
    });
  }

  test::TestDatabase database_;
  journal::PostgresJournal journal_;
  test::TestEngine engine_;
  TmpDir dir_;
  const std::string folder_ = dir_ / "checkpoints";
  SystemClock clock_;
  std::unique_ptr<Deletions> deletions_;
  std::unique_ptr<Worker> worker_;
};

TEST_F(DeletionTest, WhatAPolicyDoesNotKeepGoesWhenItsExperimentEnds) {
  Play(4, SharedFs(R"("save_experiment_best":2,"save_trial_best":0,"save_trial_latest":0)"));
  Start();
  ASSERT_TRUE(Eventually([&] { return Uuids("DELETED").size() == 2; }));
  EXPECT_TRUE(AllDone());
  // The metric is the trial's number, and smaller is better.
  EXPECT_EQ(database_.Text("SELECT string_agg(trial_id::text, ',' ORDER BY trial_id) FROM "
                           "checkpoints WHERE state = 'COMPLETED'"),
            "1,2");
  for (const std::string& uuid : Uuids("DELETED")) EXPECT_FALSE(fs::exists(folder_ + "/" + uuid));
  for (const std::string& uuid : Uuids("COMPLETED")) EXPECT_TRUE(fs::exists(folder_ + "/" + uuid));
  EXPECT_EQ(database_.Text("SELECT DISTINCT bytes || files::text FROM checkpoints WHERE state = "
                           "'DELETED'"),
            "0{}");
  EXPECT_FALSE(deletions().CollectOne().value());  // once is enough
}

TEST_F(DeletionTest, TheUsualPolicyKeepsTheNewest) {
  Play(3, SharedFs(R"("save_trial_latest":1)"));
  Start();
  ASSERT_TRUE(Eventually([&] {
    return database_.Count("SELECT count(*) FROM experiments WHERE collected_at IS NULL") == 0;
  }));
  EXPECT_EQ(database_.Count("SELECT count(*) FROM deletions"), 0);
}

TEST_F(DeletionTest, OnRequestAndOnlyOnce) {
  Play(2, SharedFs(R"("save_trial_latest":1)"));
  const std::string uuid = Uuids("COMPLETED")[0];
  const auto asked = deletions().Request({{TrialId(1), uuid}}, {}, "user:ann");
  ASSERT_TRUE(asked.ok()) << asked.status();
  const auto again = deletions().Request({{TrialId(1), uuid}}, {}, "user:bob");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->at(0).id, asked->at(0).id);
  EXPECT_EQ(again->at(0).actor, "user:ann");
  EXPECT_TRUE(fs::exists(folder_ + "/" + uuid));
  Start();
  EXPECT_EQ(Ended(asked->at(0).id).state, "DONE");
  EXPECT_FALSE(fs::exists(folder_ + "/" + uuid));
  EXPECT_EQ(Uuids("DELETED"), std::vector<std::string>{uuid});
  EXPECT_EQ(ErrorReason(deletions().Request({{TrialId(1), uuid}}, {}, "x").status()),
            "CHECKPOINT_DELETED");
  EXPECT_EQ(ErrorReason(deletions().Request({{TrialId(9), uuid}}, {}, "x").status()),
            "CHECKPOINT_NOT_FOUND");
  EXPECT_EQ(ErrorReason(deletions().Request({{TrialId(2), uuid}}, {"../*"}, "x").status()),
            "INVALID_GLOB");
}

TEST_F(DeletionTest, AllOrNoneOfARequest) {
  Play(2, SharedFs(R"("save_trial_latest":1)"));
  const std::vector<std::string> uuids = Uuids("COMPLETED");
  const auto asked =
      deletions().Request({{TrialId(1), uuids[0]}, {TrialId(2), "nonsense"}}, {}, "x");
  EXPECT_EQ(ErrorReason(asked.status()), "CHECKPOINT_NOT_FOUND");
  EXPECT_EQ(database_.Count("SELECT count(*) FROM deletions"), 0);
}

TEST_F(DeletionTest, ByPattern) {
  Play(1, SharedFs(R"("save_trial_latest":1)"));
  const std::string uuid = Uuids("COMPLETED")[0];
  const auto add = [&](const std::string& file) {
    ASSERT_TRUE(AtomicWriteFile(folder_ + "/" + uuid + "/" + file, "xyz", 0600).ok());
    database_.Exec(StrCat("UPDATE checkpoints SET files = files || '{\"", file, "\": 3}'"));
  };
  add("optimizer.pt");
  Start();
  const auto ask = [&](const std::string& glob) {
    const auto asked = deletions().Request({{TrialId(1), uuid}}, {glob}, "x");
    EXPECT_TRUE(asked.ok()) << asked.status();
    return Ended(asked->at(0).id).state;
  };
  EXPECT_EQ(ask("optimizer*"), "DONE");
  EXPECT_EQ(database_.Text("SELECT state || files::text || bytes FROM checkpoints"),
            "PARTIALLY_DELETED{\"model\": 10}10");
  EXPECT_FALSE(fs::exists(folder_ + "/" + uuid + "/optimizer.pt"));
  add("other");
  EXPECT_EQ(ask("mod*"), "DONE");
  EXPECT_EQ(database_.Text("SELECT state || files::text || bytes FROM checkpoints"),
            "PARTIALLY_DELETED{\"other\": 3}3");
  EXPECT_EQ(ask("**"), "DONE");
  EXPECT_EQ(Uuids("DELETED").size(), 1U);
  EXPECT_FALSE(fs::exists(folder_ + "/" + uuid));
}

// Whoever reports a checkpoint may name any folder.
TEST_F(DeletionTest, WhatIsNoCheckpointOfThatTrialStays) {
  Play(1, SharedFs(R"("save_trial_latest":1)"));
  const std::string uuid = Uuids("COMPLETED")[0];
  ASSERT_TRUE(AtomicWriteFile(folder_ + "/" + uuid + "/thesis", "xyz", 0600).ok());
  Start();
  for (const std::vector<std::string>& globs : {std::vector<std::string>{}, {"**"}}) {
    const auto asked = deletions().Request({{TrialId(1), uuid}}, globs, "x");
    ASSERT_TRUE(asked.ok()) << asked.status();
    const Deletion ended = Ended(asked->at(0).id);
    EXPECT_EQ(ended.state, "FAILED");
    EXPECT_NE(ended.reason.find("\"thesis\", which was not reported"), std::string::npos)
        << ended.reason;
  }
  EXPECT_EQ(Uuids("COMPLETED").size(), 1U);
  EXPECT_TRUE(fs::exists(folder_ + "/" + uuid + "/model"));
}

// The folder is the first one's, however others spell it.
TEST_F(DeletionTest, NobodyTakesAwayOrKeepsAnothersCheckpoint) {
  Play(1, SharedFs(R"("save_trial_latest":1)"));
  const std::string uuid = Uuids("COMPLETED")[0];
  ASSERT_EQ(::symlink(folder_.c_str(), (dir_ / "link").c_str()), 0);
  const auto forge = [&](int64_t trial, const std::string& spelling) {
    engine_.Must(test::Submit(StrCat(
        R"({"searcher":{"name":"single"},"max_restarts":0,"checkpoint_storage":{"type":"shared_fs",)",
        R"("save_trial_latest":1,"host_path":")",
        spelling,
        "\"}}")));
    const AllocationId run = engine_.OnlyAllocation();
    engine_.Must(test::Running(AgentId("a"), run));
    engine_.Must(test::AsAgent(AgentId("a"),
                               core::ReportCheckpoint{.agent = AgentId("a"),
                                                      .report = {run, 0, 1},
                                                      .uuid = uuid,
                                                      .steps_completed = 1,
                                                      .bytes = 10,
                                                      .files = Value(Value::Object{{"model", 10}}),
                                                      .metadata = Value(Value::Object{})}));
    engine_.Must(test::Exited(AgentId("a"), run, 0));
    ASSERT_TRUE(Eventually([&] {
      return database_.Count(StrCat("SELECT count(*) FROM checkpoints WHERE trial_id = ", trial)) ==
             1;
    }));
  };
  forge(2, StrCat(folder_, "/."));
  forge(3, StrCat("/", folder_));
  forge(4, dir_ / "link");
  forge(5, folder_);
  Start();
  for (const int64_t trial : {2, 3, 4}) {
    const auto asked = deletions().Request({{TrialId(trial), uuid}}, {}, "x");
    ASSERT_TRUE(asked.ok()) << asked.status();
    const Deletion ended = Ended(asked->at(0).id);
    EXPECT_EQ(ended.state, "DONE") << ended.reason;
    EXPECT_NE(ended.reason.find("its files stay: trial 1 "), std::string::npos) << ended.reason;
    EXPECT_TRUE(fs::exists(folder_ + "/" + uuid + "/model"));
  }
  EXPECT_EQ(Uuids("DELETED").size(), 3U);
  // Reported again, it stays the first one's.
  database_.Exec("UPDATE checkpoints SET reported_at = now() WHERE trial_id = 1");
  const auto asked = deletions().Request({{TrialId(1), uuid}}, {}, "x");
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(Ended(asked->at(0).id).state, "DONE");
  EXPECT_FALSE(fs::exists(folder_ + "/" + uuid));
}

// Of two trials of one experiment the files go with the last.
TEST_F(DeletionTest, OneFolderOfTwoTrialsGoesWithTheLast) {
  Play(2, SharedFs(R"("save_trial_latest":1)"));
  database_.Exec(
      "UPDATE checkpoints SET uuid = (SELECT uuid FROM checkpoints WHERE trial_id = 1), directory "
      "= (SELECT directory FROM checkpoints WHERE trial_id = 1)");
  const std::string uuid = Uuids("COMPLETED")[0];
  Start();
  for (const int64_t trial : {1, 2}) {
    EXPECT_TRUE(fs::exists(folder_ + "/" + uuid));
    const auto asked = deletions().Request({{TrialId(trial), uuid}}, {}, "x");
    ASSERT_TRUE(asked.ok()) << asked.status();
    EXPECT_EQ(Ended(asked->at(0).id).state, "DONE");
  }
  EXPECT_FALSE(fs::exists(folder_ + "/" + uuid));
}

TEST_F(DeletionTest, ADirectoryThatTheMasterCantSeeFailsWithItsReason) {
  Play(1, R"({"type":"directory","container_path":"/nowhere/to/be/seen","save_trial_latest":1})");
  Start();
  const auto asked = deletions().Request({{TrialId(1), Uuids("COMPLETED")[0]}}, {}, "x");
  ASSERT_TRUE(asked.ok()) << asked.status();
  const Deletion ended = Ended(asked->at(0).id);
  EXPECT_EQ(ended.state, "FAILED");
  EXPECT_NE(ended.reason.find("/nowhere/to/be/seen can't be seen"), std::string::npos)
      << ended.reason;
  EXPECT_EQ(Uuids("COMPLETED").size(), 1U);
  const Standing standing = deletions().Of(ExperimentId(1)).value();
  EXPECT_EQ(standing.failed, 1);
  EXPECT_EQ(standing.first_reason, ended.reason);
}

TEST_F(DeletionTest, APlaceThatComesBackIsTriedAgain) {
  Play(1, SharedFs(R"("save_trial_latest":1)"));
  ASSERT_EQ(::rename(folder_.c_str(), (dir_ / "away").c_str()), 0);
  Start();
  const auto asked = deletions().Request({{TrialId(1), Uuids("COMPLETED")[0]}}, {}, "x");
  ASSERT_TRUE(asked.ok()) << asked.status();
  ASSERT_TRUE(Eventually([&] {
    const Deletion now = deletions().ByIds({asked->at(0).id})->at(0);
    return now.attempts >= 2 && !now.reason.empty();
  }));
  EXPECT_EQ(Uuids("COMPLETED").size(), 1U);
  ASSERT_EQ(::rename((dir_ / "away").c_str(), folder_.c_str()), 0);
  EXPECT_EQ(Ended(asked->at(0).id).state, "DONE");
  EXPECT_EQ(Uuids("DELETED").size(), 1U);
}

TEST_F(DeletionTest, AnotherMasterTakesUpWhatWasRunning) {
  Play(1, SharedFs(R"("save_trial_latest":1)"));
  const std::string uuid = Uuids("COMPLETED")[0];
  const auto asked = deletions().Request({{TrialId(1), uuid}}, {}, "x");
  ASSERT_TRUE(asked.ok()) << asked.status();
  const auto job = deletions().Claim();
  ASSERT_TRUE(job.ok() && job->has_value());
  EXPECT_EQ((*job)->deletion.state, "RUNNING");
  ASSERT_TRUE(RemoveTree(folder_ + "/" + uuid).ok());  // it died after the files
  ASSERT_TRUE(AtomicWriteFile(folder_ + "/.det-checkpoints", "", 0600).ok());
  Start();
  EXPECT_EQ(Ended(asked->at(0).id).state, "DONE");
  EXPECT_EQ(Uuids("DELETED").size(), 1U);
}

TEST_F(DeletionTest, OnlyTheHolderOfTheLeaseDeletes) {
  Play(1, SharedFs(R"("save_trial_latest":0,"save_trial_best":0)"));
  Deletions older(database_.conninfo(), engine_.engine().epoch() - 1);
  EXPECT_TRUE(absl::IsAborted(older.CollectOne().status()));
  EXPECT_TRUE(
      absl::IsAborted(older.Request({{TrialId(1), Uuids("COMPLETED")[0]}}, {}, "x").status()));
  ASSERT_TRUE(deletions().CollectOne().value());
  EXPECT_TRUE(absl::IsAborted(older.Claim().status()));
}

TEST_F(DeletionTest, WhatATrialGoesOnFromNeverGoes) {
  engine_.Must(test::Submit(StrCat(R"({"searcher":{"name":"single"},"checkpoint_storage":)",
                                   SharedFs(R"("save_trial_latest":0,"save_trial_best":0)"),
                                   "}")));
  const AgentId agent("a");
  const AllocationId run(1);
  engine_.Must(test::Running(agent, run));
  for (int64_t i = 1; i <= 3; ++i) {
    engine_.Must(test::AsAgent(agent,
                               core::ReportCheckpoint{.agent = agent,
                                                      .report = {run, 0, i},
                                                      .uuid = StrCat("c", i),
                                                      .steps_completed = i,
                                                      .bytes = 10,
                                                      .files = Value(Value::Object{{"model", 10}}),
                                                      .metadata = Value(Value::Object{})}));
  }
  ASSERT_TRUE(Eventually([&] { return Uuids("COMPLETED").size() == 3; }));
  MakeFiles();
  EXPECT_EQ(ErrorReason(deletions().Request({{TrialId(1), "c3"}}, {}, "x").status()),
            "CHECKPOINT_IN_USE");
  const auto plan = deletions().Preview(ExperimentId(1), gc::Policy{0, 0, 0});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->going.size(), 2U);
  EXPECT_EQ(plan->bytes, 20);
  EXPECT_EQ(database_.Count("SELECT count(*) FROM deletions"), 0);
  Start();
  ASSERT_TRUE(deletions().SetPolicy(ExperimentId(1), {0, 0, 0}, "user:ann").ok());
  ASSERT_TRUE(Eventually([&] { return Uuids("DELETED").size() == 2; }));
  EXPECT_EQ(Uuids("COMPLETED"), std::vector<std::string>{"c3"});
  EXPECT_EQ(ErrorReason(deletions().SetPolicy(ExperimentId(9), {0, 0, 0}, "x").status()),
            "EXPERIMENT_NOT_FOUND");
}

TEST_F(DeletionTest, WhatAnExperimentBeginsFromNeverGoes) {
  Play(1, SharedFs(R"("save_trial_latest":1)"));
  const std::string uuid = Uuids("COMPLETED")[0];
  core::Command next = test::Submit(
      StrCat(R"({"searcher":{"name":"single","source_checkpoint_uuid":")", uuid, R"("}})"));
  std::get<core::CreateExperiment>(next.body).paused = true;
  engine_.Must(std::move(next));
  EXPECT_EQ(ErrorReason(deletions().Request({{TrialId(1), uuid}}, {}, "x").status()),
            "CHECKPOINT_IN_USE");
  EXPECT_TRUE(deletions().Preview(ExperimentId(1), gc::Policy{0, 0, 0})->going.empty());
}

TEST_F(DeletionTest, AllOfAnExperiment) {
  Play(3, SharedFs(R"("save_trial_latest":1)"));
  Start();
  ASSERT_TRUE(deletions().RequestAll(ExperimentId(1), "user:ann").ok());
  ASSERT_TRUE(Eventually([&] {
    const Standing standing = deletions().Of(ExperimentId(1)).value();
    return standing.open == 0 && standing.failed == 0;
  }));
  EXPECT_EQ(Uuids("DELETED").size(), 3U);
  EXPECT_TRUE(deletions().RequestAll(ExperimentId(1), "user:ann")->empty());
}

TEST_F(DeletionTest, FromABucket) {
  const s3::S3Server server;
  const auto client = server.MakeBucket("checkpoints");
  Play(2,
       StrCat(R"({"type":"s3","bucket":"checkpoints","prefix":"p","endpoint_url":")",
              server.url(),
              R"(","access_key":{"environment":"THE_KEY"},"secret_key":{"secret":"the-secret"},)",
              R"("save_trial_latest":0,"save_experiment_best":1,"save_trial_best":0})"));
  EXPECT_EQ(database_.Text("SELECT directory FROM checkpoints WHERE trial_id = 2"),
            StrCat("s3://checkpoints/p/", Uuids("COMPLETED")[1]));
  for (const std::string& uuid : Uuids("COMPLETED")) {
    for (const char* file : {"model", "deep/file", ".det-complete.json"}) {
      ASSERT_TRUE(client->Put(StrCat("p/", uuid, "/", file), "x").ok());
    }
  }
  const std::string going = Uuids("COMPLETED")[1];
  Start();
  ASSERT_TRUE(Eventually([&] { return Uuids("DELETED").size() == 1; }));
  EXPECT_EQ(Uuids("DELETED")[0], going);
  EXPECT_TRUE(client->List({.prefix = StrCat("p/", going, "/")})->objects.empty());
  EXPECT_EQ(client->List({.prefix = "p/"})->objects.size(), 3U);
}

TEST_F(DeletionTest, MetadataIsPatched) {
  Play(1, SharedFs(R"("save_trial_latest":1)"));
  const Target target{TrialId(1), Uuids("COMPLETED")[0]};
  const auto patch = [&](Value::Object object) {
    const auto merged = deletions().PatchMetadata(target, Value(std::move(object)));
    EXPECT_TRUE(merged.ok()) << merged.status();
    return merged.ok() ? merged->ToJson() : "";
  };
  EXPECT_EQ(patch({{"note", "good"}, {"score", 3}}), R"({"note":"good","score":3})");
  EXPECT_EQ(patch({{"note", nullptr}, {"more", Value(Value::Object{{"a", 1}})}}),
            R"({"more":{"a":1},"score":3})");
  EXPECT_EQ(ErrorReason(deletions().PatchMetadata({TrialId(7), "x"}, Value::Object{}).status()),
            "CHECKPOINT_NOT_FOUND");
}

}  // namespace
}  // namespace det::deletion
