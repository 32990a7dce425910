#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/fake_master.h"
#include "cli/testing/golden.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/sample_model.h"
#include "cli/testing/temp_dir.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

using testing::HasSubstr;

// The output of every verb, in every format that there is.
class VerbsTest : public testing::Test {
 protected:
  void ExpectAllFormats(const std::string& name, const std::string& line) {
    ExpectGolden(name,
                 Transcript(runner_,
                            {line,
                             line + " -o json",
                             line + " -o yaml",
                             line + " -o csv",
                             line + " -o tsv",
                             line + " -o name"}));
  }

  FakeMaster master_{SampleModel()};
  CliRunner runner_{master_.address()};
};

TEST_F(VerbsTest, Status) {
  ExpectAllFormats("status", "status");
}
TEST_F(VerbsTest, Version) {
  ExpectAllFormats("version", "version");
}
TEST_F(VerbsTest, Why) {
  ExpectAllFormats("why", "why t19");
}
TEST_F(VerbsTest, APlanThatCouldNeverRunHasACodeOfItsOwn) {
  const TempDir dir;
  const std::string line = StrCat("plan ", dir.Write("cfg.yaml", "name: x\n"));
  master_.Edit([](Model& model) {
    model.plan.set_pool("default");
    model.plan.set_trials(4);
    api::PlannedStart* start = model.plan.add_starts();
    start->set_agent("gpu-1");
    start->set_trials(2);
    model.plan.set_waits("needs 4 slots on one agent, largest free 2");
  });
  const CliResult later = runner_.Run(line);
  EXPECT_EQ(later.code, ExitCode::kOk) << later.err;
  EXPECT_THAT(later.out, HasSubstr("gpu-1"));
  EXPECT_THAT(later.out, HasSubstr("largest free 2"));
  master_.Edit([](Model& model) { model.plan.set_impossible(true); });
  EXPECT_EQ(runner_.Run(line).code, ExitCode::kNeverRuns);
  EXPECT_EQ(runner_.Run(line + " --speed 0").code, ExitCode::kUsage);
}

TEST_F(VerbsTest, AGlobPreviewsWhatMatchesAndRefusesToDeleteNothing) {
  std::string uuid;
  master_.Edit([&](Model& model) {
    uuid = model.checkpoints[0].uuid();
    model.checkpoints[0].set_files_json(R"({"model.bin":1048576,"optimizer/a":2048})");
  });
  const CliResult some = runner_.Run(StrCat("c rm ", uuid, " --glob 'optimizer*'"));
  EXPECT_EQ(some.code, ExitCode::kOk) << some.err;
  EXPECT_THAT(some.out, HasSubstr("would delete 1 file of "));
  EXPECT_THAT(some.out, HasSubstr("optimizer/a  2.0 KiB"));
  const CliResult none = runner_.Run(StrCat("c rm ", uuid, " --yes --glob '*.tmp'"));
  EXPECT_EQ(none.code, ExitCode::kNotFound);
  EXPECT_THAT(none.err, HasSubstr("nothing matches *.tmp"));
}

TEST_F(VerbsTest, ATemplateWithAFieldThatIsNoneIsAnError) {
  const CliResult bad = runner_.Run("e list -o 'template={id} {stat}'");
  EXPECT_EQ(bad.code, ExitCode::kUsage);
  EXPECT_THAT(bad.err, HasSubstr("did you mean state?"));
  EXPECT_EQ(runner_.Run("e list -o 'template={id}\\n'").out,
            runner_.Run("e list -o 'template={id}'").out);
  EXPECT_EQ(runner_.Run("t logs 17 -o 'template={txt}'").code, ExitCode::kUsage);
}

TEST_F(VerbsTest, ExperimentList) {
  ExpectAllFormats("experiment_list", "experiment list");
}
TEST_F(VerbsTest, ExperimentDescribe) {
  ExpectAllFormats("experiment_describe", "experiment describe 7");
}
TEST_F(VerbsTest, ExperimentConfig) {
  ExpectGolden("experiment_config",
               Transcript(runner_,
                          {"experiment config 7",
                           "experiment config 7 -o json",
                           "experiment config 7 --submitted",
                           "experiment config 99"}));
}
TEST_F(VerbsTest, ConfigExplain) {
  ExpectAllFormats("config_explain", "config explain");
  ExpectGolden(
      "config_explain_key",
      Transcript(runner_, {"config explain searcher", "config explain searcher.max_trials"}));
}
TEST_F(VerbsTest, TrialList) {
  ExpectAllFormats("trial_list", "trial list 7 --best");
}
TEST_F(VerbsTest, TrialDescribe) {
  ExpectAllFormats("trial_describe", "trial describe 17");
}
TEST_F(VerbsTest, TrialMetrics) {
  ExpectAllFormats("trial_metrics", "trial metrics 17");
}
TEST_F(VerbsTest, TrialMetricsComePageByPageUpToTheLimit) {
  const auto lines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  const CliResult all = runner_.Run("t metrics 17 --limit 0 -o csv --no-headers");
  EXPECT_EQ(all.err, "");
  ASSERT_EQ(lines(all.out), 3);
  const CliResult some = runner_.Run("t metrics 17 --limit 2 -o csv --no-headers");
  EXPECT_EQ(lines(some.out), 2);
  EXPECT_EQ(some.out, all.out.substr(0, some.out.size()));
  EXPECT_THAT(some.err, HasSubstr("the first 2 points; --limit 0 shows all"));
  EXPECT_EQ(runner_.Run("t metrics 17 --limit -1").code, ExitCode::kUsage);
}
TEST_F(VerbsTest, TrialLogs) {
  ExpectAllFormats("trial_logs", "trial logs 17");
}
TEST_F(VerbsTest, ExperimentLogs) {
  ExpectAllFormats("experiment_logs", "experiment logs 7 --timestamps");
}
TEST_F(VerbsTest, EachFilterOfLogsIsAskedFor) {
  const auto asked = [&](const std::string& flags) {
    const CliResult result = runner_.Run(StrCat("trial logs 17 ", flags));
    EXPECT_EQ(result.code, ExitCode::kOk) << flags << ": " << result.err;
    api::TailLogsRequest request;
    master_.Edit([&](Model& model) { request = model.tailed.back(); });
    return request;
  };
  EXPECT_EQ(asked("--tail 3").tail(), 3);
  EXPECT_EQ(asked("--head 3").head(), 3);
  EXPECT_EQ(runner_.Run("trial logs 14 -f").code, ExitCode::kOk);
  master_.Edit([&](Model& model) { EXPECT_TRUE(model.tailed.back().follow()); });
  EXPECT_EQ(asked("--since @100").filter().since_unix_nanos(), 100'000'000'000);
  EXPECT_EQ(
      asked("--until 2026-11-21T10:00:00Z").filter().until_unix_nanos(),
      absl::ToUnixNanos(absl::FromCivil(absl::CivilHour(2026, 11, 21, 10), absl::UTCTimeZone())));
  const int64_t hour = asked("--since 1h").filter().since_unix_nanos();
  EXPECT_LT(absl::AbsDuration(absl::Now() - absl::Hours(1) - absl::FromUnixNanos(hour)),
            absl::Minutes(1));
  EXPECT_EQ(asked("--grep loss=.*").filter().pattern(), "loss=.*");
  EXPECT_TRUE(asked("--grep x -i").filter().ignore_case());
  EXPECT_EQ(asked("--level WARNING").filter().min_level(), "WARNING");
  EXPECT_EQ(asked("--source stderr --source agent").filter().sources_size(), 2);
  EXPECT_EQ(asked("--rank 0 --rank 3").filter().ranks(1), 3);
  EXPECT_EQ(asked("--run 2").filter().runs(0), 2);
  const CliResult all = runner_.Run("experiment logs 7 --level ERROR --run 1");
  EXPECT_EQ(all.code, ExitCode::kOk) << all.err;
  master_.Edit([&](Model& model) {
    EXPECT_EQ(model.tailed.back().filter().min_level(), "ERROR");
    EXPECT_EQ(model.tailed.back().filter().runs(0), 1);
  });
  for (const char* wrong : {"--since soon",
                            "--since -5m",
                            "--until 2026-13-01",
                            "--rank x",
                            "--rank -1",
                            "--run 0",
                            "--head 0",
                            "--level LOUD",
                            "--source stdin",
                            "--head 1 --tail 1"}) {
    EXPECT_EQ(runner_.Run(StrCat("trial logs 17 ", wrong)).code, ExitCode::kUsage) << wrong;
  }
}
TEST_F(VerbsTest, Metrics) {
  master_.Edit([](Model& model) {
    for (const char* name : {"accuracy", "loss"}) {
      api::MetricSummary& summary = model.summaries[17].emplace_back();
      summary.set_trial(17);
      summary.set_group("validation");
      summary.set_name(name);
      summary.set_count(3);
      summary.set_min(0.25);
      summary.set_max(1);
      summary.set_mean(0.5);
      summary.set_last(0.75);
      summary.set_last_steps(300);
    }
    model.summaries[17].back().set_nans(1);
  });
  ExpectAllFormats("metrics_summary", "metrics 17 --summary");
  ExpectAllFormats("metrics", "metrics t17 --group validation");
  const CliResult one = runner_.Run("metrics e7 --summary --name loss -o csv --no-headers");
  EXPECT_EQ(std::count(one.out.begin(), one.out.end(), '\n'), 1) << one.out << one.err;
  EXPECT_EQ(runner_.Run("metrics 99").code, ExitCode::kNotFound);
  EXPECT_EQ(runner_.Run("metrics 17 --summary --limit 3").code, ExitCode::kUsage);
}
TEST_F(VerbsTest, CheckpointDescribe) {
  const std::string uuid = master_.Look().checkpoints[0].uuid();
  ExpectAllFormats("checkpoint_describe", "checkpoint describe " + uuid);
}
TEST_F(VerbsTest, CheckpointList) {
  ExpectAllFormats("checkpoint_list", "checkpoint list 7");
}
TEST_F(VerbsTest, CheckpointDownloadTakesTheTrialBeforeTheName) {
  const std::string uuid = "7c1f0000-0000-4000-8000-000000000001";
  for (const std::string& name : {uuid, "17/" + uuid, "t17/" + uuid}) {
    const CliResult found = runner_.Run("c download " + name);
    EXPECT_THAT(found.err, HasSubstr("can't be seen from this machine")) << name;
  }
  EXPECT_THAT(runner_.Run("c download 18/" + uuid).err, HasSubstr("does not exist"));
  for (const char* name : {"x/u", "17/", "17/..", "17/a/b"})
    EXPECT_EQ(runner_.Run(std::string("c download ") + name).code, ExitCode::kUsage) << name;
}
TEST_F(VerbsTest, TheBestCheckpointsAreDownloaded) {
  const TempDir dir;
  std::vector<std::string> uuids;
  master_.Edit([&](Model& model) {
    for (api::Checkpoint& checkpoint : model.checkpoints) {
      dir.Write(StrCat("there/", checkpoint.uuid(), "/weights"), checkpoint.uuid());
      checkpoint.set_directory(dir.File(StrCat("there/", checkpoint.uuid())));
      checkpoint.set_files_json("{\"weights\": 36}");
      if (checkpoint.experiment() == 7) uuids.push_back(checkpoint.uuid());
    }
  });
  ASSERT_GE(uuids.size(), 2U);
  const CliResult best = runner_.Run(StrCat("e download e7 --top-n 2 -o ", dir.File("b")));
  EXPECT_EQ(best.code, ExitCode::kOk) << best.err;
  EXPECT_THAT(best.out, HasSubstr(StrCat(dir.File("b"), "/", uuids[0], ": 1 file, 36 B")));
  EXPECT_THAT(best.out, HasSubstr(uuids[1]));
  EXPECT_EQ(runner_.Run(StrCat("e download e7 -o ", dir.File("b"))).code, ExitCode::kConflict);
  const CliResult latest = runner_.Run(StrCat("t download 17 --latest -o ", dir.File("c")));
  EXPECT_EQ(latest.code, ExitCode::kOk) << latest.err;
  EXPECT_EQ(runner_.Run(StrCat("t download 17 -o ", dir.File("d"))).code, ExitCode::kOk);
  EXPECT_EQ(master_.Look().list_asked, "|-metric");
  EXPECT_EQ(runner_.Run(StrCat("t download 17 --uuid ", uuids[0], " -o ", dir.File("e"))).code,
            ExitCode::kOk);
  for (const char* line :
       {"e download 7 --top-n 0", "e download 7 --sort-by loss", "t download 17 --best --latest"}) {
    EXPECT_EQ(runner_.Run(line).code, ExitCode::kUsage) << line;
  }
  EXPECT_EQ(runner_.Run("e download 999").code, ExitCode::kNotFound);
}
TEST_F(VerbsTest, AgentList) {
  ExpectAllFormats("agent_list", "agent list");
}
TEST_F(VerbsTest, SlotList) {
  ExpectAllFormats("slot_list", "slot list");
}
TEST_F(VerbsTest, ListsThatAreHereAsAWholeGoByTheSameGrammar) {
  const std::string slots = "s list -o csv --no-headers --columns agent,index";
  const std::string all = runner_.Run(slots).out;
  EXPECT_EQ(runner_.Run(slots + " --filter 'agent = \"gpu-1\" and index = 1'").out, "gpu-1,1\n");
  EXPECT_EQ(runner_.Run(slots + " --filter 'trial = null'").err, "");
  const CliResult two = runner_.Run(slots + " --sort -agent,index --limit 1");
  EXPECT_EQ(two.out, "gpu-2,0\n");
  EXPECT_THAT(two.err, HasSubstr("the first 1; --limit N shows more"));
  EXPECT_EQ(runner_.Run(slots + " --offset 1").out, all.substr(all.find('\n') + 1));
  const CliResult unknown = runner_.Run("s list --filter 'agnt = x'");
  EXPECT_EQ(unknown.code, ExitCode::kUsage);
  EXPECT_THAT(unknown.err, HasSubstr("agent"));
  EXPECT_EQ(runner_.Run("s list --sort colour").code, ExitCode::kUsage);
  EXPECT_EQ(runner_.Run("s list --limit 1 --all").code, ExitCode::kUsage);
}
TEST_F(VerbsTest, AgentsAndSlotsAreTakenOutAndIn) {
  const CliResult drained = runner_.Run(
      "agent disable gpu-1 --drain --deadline 2h --reason disks -o csv --no-headers "
      "--columns id,state,why");
  EXPECT_EQ(drained.out, "gpu-1,DRAINING,disks\n") << drained.err;
  EXPECT_EQ(runner_.Run("agent enable --all -o csv --no-headers --columns id,state").out,
            "gpu-1,CONNECTED\ngpu-2,CONNECTED\n");
  const CliResult slot =
      runner_.Run("slot disable gpu-1 1 -o csv --no-headers --columns index,state");
  EXPECT_EQ(slot.out, "0,HELD\n1,DISABLED\n") << slot.err;
  const CliResult some = runner_.Run("slot enable gpu-1 1 9");
  EXPECT_EQ(some.code, ExitCode::kPartial);
  EXPECT_EQ(runner_.Run("agent disable gpu-9").code, ExitCode::kNotFound);
  for (const char* line : {"agent disable",
                           "agent disable gpu-1 --all",
                           "agent disable gpu-1 --deadline 2h",
                           "agent disable gpu-1 --drain --deadline soon",
                           "slot disable gpu-1",
                           "slot disable gpu-1 x"}) {
    EXPECT_EQ(runner_.Run(line).code, ExitCode::kUsage) << line;
  }
}
TEST_F(VerbsTest, JobList) {
  ExpectAllFormats("job_list", "job list");
}
TEST_F(VerbsTest, ListsThatAreCutShortSayIt) {
  master_.Edit([](Model& model) { model.jobs.push_back(model.jobs.front()); });
  for (const char* verb : {"agent", "job"}) {
    const CliResult all = runner_.Run(StrCat(verb, " list -o name"));
    EXPECT_EQ(all.err, "") << verb;
    const CliResult first = runner_.Run(StrCat(verb, " list -o name --limit 1"));
    EXPECT_EQ(first.out, all.out.substr(0, all.out.find('\n') + 1)) << verb;
    EXPECT_THAT(first.err, HasSubstr("the first 1; --limit N shows more")) << verb;
    EXPECT_EQ(runner_.Run(StrCat(verb, " list --limit 0")).code, ExitCode::kUsage) << verb;
  }
}
TEST_F(VerbsTest, ExperimentWait) {
  ExpectAllFormats("experiment_wait", "experiment wait 6");
}

TEST_F(VerbsTest, SettingsAreReadByTheirNames) {
  const CliResult set = runner_.Run("e set priority 7 10 -o json");
  EXPECT_EQ(set.code, ExitCode::kOk) << set.err;
  EXPECT_THAT(set.out, HasSubstr("\"priority\": 10"));
  EXPECT_THAT(runner_.Run("e set pool 7 big").out, HasSubstr("pool is big"));
  for (const char* line : {"e set priority 7 high",
                           "e set priority 7 1e3",
                           "e set weight 7 nan",
                           "e set log-retention 7 soon",
                           "e set max-slots 7 9999999999999999999999",
                           "e set colour 7 red"}) {
    EXPECT_EQ(runner_.Run(line).code, ExitCode::kUsage) << line;
  }
}
TEST_F(VerbsTest, DeletingShowsWhatWouldGoAndWaitsForAYes) {
  const CliResult preview = runner_.Run("e delete 7 999");
  EXPECT_EQ(preview.code, ExitCode::kUsage);
  EXPECT_THAT(preview.err, HasSubstr("nothing was done"));
  EXPECT_THAT(preview.err, HasSubstr("--yes"));
  EXPECT_THAT(preview.out, HasSubstr("7"));
}
TEST_F(VerbsTest, AFilterShowsWhatItFindsAndWaitsForAYes) {
  const CliResult preview = runner_.Run("e pause --filter state=ACTIVE");
  EXPECT_EQ(preview.code, ExitCode::kUsage);
  EXPECT_THAT(preview.err, HasSubstr("nothing was done"));
  EXPECT_THAT(preview.out, HasSubstr("mnist-asha"));
  // The one who answers here finds everything: some of it has ended.
  const CliResult done = runner_.Run("e pause --filter state=ACTIVE --yes");
  EXPECT_EQ(done.code, ExitCode::kPartial) << done.err;
  EXPECT_THAT(done.out, HasSubstr("experiment 7: PAUSED"));
  EXPECT_EQ(runner_.Run("e pause").code, ExitCode::kUsage);
  EXPECT_EQ(runner_.Run("e pause 7 --filter state=ACTIVE").code, ExitCode::kUsage);
}
TEST_F(VerbsTest, JobsAreChangedOneByOneAndTogether) {
  const CliResult one = runner_.Run("j update 7 --priority 10 -w 2 --behind-of e6");
  EXPECT_EQ(one.code, ExitCode::kOk) << one.err;
  EXPECT_THAT(one.out, HasSubstr("experiment 7: priority 10, weight 2, moved behind e6"));
  const CliResult both = runner_.Run("j update-batch 7.priority=11 7.weight=3 6.max_slots=none");
  EXPECT_THAT(both.out, HasSubstr("experiment 7: priority 11, weight 3"));
  for (const char* line : {"j update 7",
                           "j update 7 --priority high",
                           "j update-batch 7.colour=red",
                           "j update-batch 7",
                           "j update-batch x.priority=1"}) {
    EXPECT_EQ(runner_.Run(line).code, ExitCode::kUsage) << line;
  }
}
TEST_F(VerbsTest, KillingTrialsGoesOnAfterAnError) {
  const CliResult some = runner_.Run("t kill 17 999");
  EXPECT_EQ(some.code, ExitCode::kPartial);
  EXPECT_THAT(some.out, HasSubstr("trial 17: STOPPING_KILLED"));
  EXPECT_EQ(runner_.Run("t kill 999").code, ExitCode::kNotFound);
  const CliResult preview = runner_.Run("t kill --filter 'experiment = 7'");
  EXPECT_EQ(preview.code, ExitCode::kUsage);
  EXPECT_THAT(preview.err, HasSubstr("nothing was done"));
  EXPECT_EQ(master_.Look().list_asked, "(experiment = 7) and ended = null|");
  EXPECT_THAT(runner_.Run("t kill --filter 'experiment = 7' -y").out, HasSubstr("STOPPING_KILLED"));
  EXPECT_EQ(runner_.Run("t kill").code, ExitCode::kUsage);
}
TEST_F(VerbsTest, SettingsOfManyGoByIdsOrFilter) {
  const CliResult both = runner_.Run("e set priority 7,6 10");
  EXPECT_THAT(both.out, HasSubstr("experiment 7: priority is 10"));
  EXPECT_THAT(runner_.Run("e set priority --filter 'state = ACTIVE' 10").err,
              HasSubstr("nothing was done: det e set priority"));
  EXPECT_THAT(runner_.Run("e set priority --filter 'state = ACTIVE' 10 -y").out,
              HasSubstr("experiment 7: priority is 10"));
  EXPECT_EQ(runner_.Run("e set log-retention 7 --days 90").code, ExitCode::kOk);
  for (const char* line : {"e set priority 7",
                           "e set priority --filter 'state = ACTIVE'",
                           "e set priority 7 10 --filter 'state = ACTIVE'",
                           "e set name 7",
                           "e set notes --filter 'state = ACTIVE' text"}) {
    EXPECT_EQ(runner_.Run(line).code, ExitCode::kUsage) << line;
  }
}
TEST_F(VerbsTest, FormatsAndListsInTheWordsOfDetermined) {
  EXPECT_EQ(runner_.Run("e ls --json").out, runner_.Run("e ls -o json").out);
  EXPECT_EQ(runner_.Run("a ls --csv").out, runner_.Run("a ls -o csv").out);
  EXPECT_EQ(runner_.Run("e describe 7 --yaml").out, runner_.Run("e describe 7 -o yaml").out);
  EXPECT_EQ(runner_.Run("e ls --json --csv").code, ExitCode::kUsage);
  EXPECT_EQ(runner_.Run("e ls -a").code, ExitCode::kOk);
  const std::string all = runner_.Run("e ls -o name").out;
  EXPECT_EQ(runner_.Run("e ls -o name --offset 1").out, all.substr(all.find('\n') + 1));
  EXPECT_EQ(runner_.Run("e ls --offset -1").code, ExitCode::kUsage);
  const CliResult two = runner_.Run("e describe 7,6 -o name");
  EXPECT_EQ(two.out, "7\n6\n") << two.err;
  EXPECT_EQ(runner_.Run("j ls --resource-pool default").code, ExitCode::kOk);
  EXPECT_THAT(runner_.Run("e lc 7 --best 1 -o name").out, HasSubstr("-"));
  EXPECT_EQ(runner_.Run("t logs 17 --rank-id 0 --timestamp-after @100").code, ExitCode::kOk);
  EXPECT_EQ(runner_.Run("agent describe gpu-1").code, ExitCode::kOk);
  EXPECT_EQ(runner_.Run("agent describe gpu-9").code, ExitCode::kNotFound);
  EXPECT_EQ(runner_.Run("user whoami").code, ExitCode::kOk);
  EXPECT_EQ(runner_.Run("t list-checkpoints 17").code, ExitCode::kOk);
}

}  // namespace
}  // namespace det::cli
