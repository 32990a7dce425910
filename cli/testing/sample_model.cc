#include "cli/testing/sample_model.h"

#include "common/base/strings.h"

namespace det::cli {
namespace {

api::HealthCheck Check(const char* name, const char* level, const char* text, const char* hint) {
  api::HealthCheck check;
  check.set_name(name);
  check.set_level(level);
  check.set_text(text);
  check.set_hint(hint);
  return check;
}

int64_t Ago(absl::Duration age) {
  return absl::ToUnixNanos(SampleNow() - age);
}

void SetReason(api::Reason* reason, const char* code, const char* text, const char* actor) {
  reason->set_code(code);
  reason->set_text(text);
  reason->set_actor(actor);
  reason->set_since_unix_nanos(Ago(absl::Minutes(5)));
}

api::Transition Moved(absl::Duration age, const char* kind, int64_t subject, const char* state) {
  api::Transition transition;
  transition.set_seq(1000 + subject);
  transition.set_at_unix_nanos(Ago(age));
  transition.set_kind(kind);
  transition.set_subject(StrCat(subject));
  transition.set_to_state(state);
  transition.set_actor("master");
  return transition;
}

api::Experiment Search(int64_t id, const char* name, const char* state) {
  api::Experiment experiment;
  experiment.set_id(id);
  experiment.set_name(name);
  experiment.set_owner(id == 5 ? "bob" : "ann");
  experiment.set_state(state);
  experiment.set_searcher("adaptive_asha");
  experiment.set_metric("accuracy");
  experiment.set_pool("default");
  experiment.set_priority(42);
  experiment.set_created_unix_nanos(Ago(absl::Minutes(20 * (8 - id))));
  return experiment;
}

void AddExperiments(Model* model) {
  api::Experiment running = Search(7, "mnist-asha", "ACTIVE");
  SetReason(running.mutable_reason(), "RUNNING", "two trials run, one waits for a slot", "master");
  running.set_progress(0.48);
  running.set_trials_created(5);
  running.set_trials_closed(2);
  running.set_best_trial(17);
  running.set_best_metric(0.97312345);
  running.set_best_steps(4000);
  running.set_context_sha256("0f1e2d");
  model->experiments[7] = running;
  model->trials_waiting[7] = 1;
  model->seconds_left[7] = 754;
  model->configs[7] =
      R"({"name":"mnist-asha","searcher":{"max_trials":5,"metric":"accuracy","name":"adaptive_asha"}})";
  model->experiment_histories[7] = {Moved(absl::Minutes(20), "experiment", 7, "ACTIVE")};

  api::Experiment completed = Search(6, "mnist-grid", "COMPLETED");
  completed.set_progress(1);
  completed.set_trials_created(1);
  completed.set_trials_closed(1);
  completed.set_best_trial(12);
  completed.set_best_metric(0.91);
  completed.set_best_steps(800);
  completed.set_ended_unix_nanos(Ago(absl::Minutes(30)));
  model->experiments[6] = completed;

  api::Experiment failed = Search(5, "broken", "ERROR");
  SetReason(failed.mutable_reason(), "TRIAL_FAILED", "trial 11 failed 3 times", "master");
  failed.set_smaller_is_better(true);
  failed.set_metric("loss");
  failed.set_searcher("single");
  failed.set_trials_created(1);
  failed.set_trials_closed(1);
  failed.set_ended_unix_nanos(Ago(absl::Minutes(50)));
  model->experiments[5] = failed;
}

api::Trial TrialOf(int64_t id, int64_t experiment, const char* state) {
  api::Trial trial;
  trial.set_id(id);
  trial.set_experiment(experiment);
  trial.set_state(state);
  trial.set_hparams_json(StrCat(
      R"({"layers":)", id - 10, R"(,"optimizer":{"lr":0.0)", id - 10, R"(,"name":"adam"}})"));
  trial.set_seed(static_cast<uint32_t>(id * 7));
  trial.set_runs(1);
  trial.set_created_unix_nanos(Ago(absl::Minutes(30 - id)));
  return trial;
}

void SetMetric(api::Trial* trial, double latest, double best, int64_t steps) {
  trial->set_latest_metric(latest);
  trial->set_best_metric(best);
  trial->set_latest_steps(steps);
  trial->set_progress(static_cast<double>(steps) / 8000);
}

void AddTrials(Model* model) {
  api::Trial best = TrialOf(17, 7, "RUNNING");
  SetReason(best.mutable_reason(), "RUNNING", "runs on gpu-1", "agent:gpu-1");
  SetMetric(&best, 0.97, 0.97312345, 4200);
  best.set_agent("gpu-1");
  best.add_slots(0);
  best.add_slots(1);
  best.set_restarts(1);
  best.set_runs(2);
  best.set_latest_checkpoint("7c1f0000-0000-4000-8000-000000000001");
  best.set_latest_training_json(R"({"loss":0.0821})");
  best.set_latest_training_steps(4250);
  model->trials[17] = best;
  model->trial_histories[17] = {Moved(absl::Minutes(13), "trial", 17, "QUEUED"),
                                Moved(absl::Minutes(12), "allocation", 41, "RUNNING")};

  api::Trial second = TrialOf(18, 7, "STARTING");
  second.set_agent("gpu-2");
  second.add_slots(0);
  model->trials[18] = second;
  model->trials[19] = TrialOf(19, 7, "QUEUED");

  for (const int64_t id : {14, 15}) {
    api::Trial closed = TrialOf(id, 7, "COMPLETED");
    SetMetric(&closed, 0.9 + static_cast<double>(id) / 1000, 0.92, 2000);
    closed.set_ended_unix_nanos(Ago(absl::Minutes(9)));
    model->trials[id] = closed;
  }
  api::Trial single = TrialOf(12, 6, "COMPLETED");
  SetMetric(&single, 0.91, 0.91, 800);
  model->trials[12] = single;
  model->trials[11] = TrialOf(11, 5, "ERROR");
}

void AddReports(Model* model) {
  const auto add = [&](const char* group, const char* name, int64_t steps, double value) {
    api::MetricPoint point;
    point.set_group(group);
    point.set_name(name);
    point.set_steps_completed(steps);
    point.set_value(value);
    point.set_at_unix_nanos(Ago(absl::Minutes(10)) + steps * 1'000'000);
    point.set_trial(17);
    model->metrics[17].push_back(point);
  };
  add("training", "loss", 100, 0.5);
  add("validation", "accuracy", 100, 0.9);
  add("training", "loss", 200, std::numeric_limits<double>::quiet_NaN());
  const auto print = [&](int64_t trial, const char* source, const char* text) {
    api::LogLine line;
    line.set_trial(trial);
    line.set_run(1);
    line.set_at_unix_nanos(Ago(absl::Minutes(11)) + 1'500'000);
    line.set_source(source);
    line.set_text(text);
    model->logs[trial].push_back(line);
  };
  print(17, "agent", "starting on slots 0, 1");
  print(17, "stdout", "epoch 1: loss 0.5");
  print(17, "stderr", "a warning");
  print(14, "stdout", "done");
}

void AddCheckpoints(Model* model) {
  const auto add = [&](const char* uuid, int64_t trial, int64_t steps, double metric) {
    api::Checkpoint checkpoint;
    checkpoint.set_uuid(uuid);
    checkpoint.set_trial(trial);
    checkpoint.set_experiment(7);
    checkpoint.set_steps_completed(steps);
    checkpoint.set_metric(metric);
    checkpoint.set_bytes(3'500'000);
    checkpoint.set_files_json(R"({"model.pt":3499990,"state.json":10})");
    checkpoint.set_metadata_json(R"({"epoch":4})");
    checkpoint.set_directory(StrCat("/srv/det/checkpoints/", uuid));
    checkpoint.set_state("COMPLETED");
    checkpoint.set_reported_unix_nanos(Ago(absl::Minutes(6)));
    model->checkpoints.push_back(checkpoint);
  };
  add("7c1f0000-0000-4000-8000-000000000001", 17, 4000, 0.97312345);
  add("7c1f0000-0000-4000-8000-000000000002", 14, 2000, 0.92);
}

void AddCluster(Model* model) {
  model->cluster.set_cluster_id("c0ffee");
  model->cluster.set_version("0.1.0");
  model->cluster.set_epoch(3);
  model->cluster.set_started_unix_nanos(Ago(absl::Hours(50)));
  model->cluster.set_agents(2);
  model->cluster.set_slots(3);
  model->cluster.set_slots_free(0);
  model->cluster.set_experiments_live(1);
  model->cluster.set_user("ann");
  for (int i = 1; i <= 2; ++i) {
    api::Agent agent;
    agent.set_id(StrCat("gpu-", i));
    agent.set_pool("default");
    agent.set_version("0.1.0");
    agent.set_address(StrCat("10.0.0.", i));
    agent.set_state(i == 1 ? "CONNECTED" : "AWAY");
    agent.set_since_unix_nanos(Ago(absl::Minutes(90)));
    for (int s = 0; s < 3 - i; ++s) {
      api::Slot* slot = agent.add_slots();
      slot->set_index(s);
      slot->set_kind("cuda");
      slot->set_name("NVIDIA A100");
      slot->set_trial(i == 1 && s == 1 ? 0 : 16 + i);
      slot->set_allocation(i == 1 && s == 1 ? 0 : 40 + i);
    }
    model->agents.push_back(agent);
  }
  api::Job job;
  job.set_experiment(7);
  job.set_name("mnist-asha");
  job.set_owner("ann");
  job.set_pool("default");
  job.set_priority(42);
  job.set_state("ACTIVE");
  job.set_slots_held(3);
  job.set_slots_waiting(1);
  job.set_submitted_unix_nanos(Ago(absl::Minutes(20)));
  model->jobs.push_back(job);
}

void AddAnswers(Model* model) {
  api::ExplainResponse& why = model->explanations["trial 19"];
  why.set_subject("trial 19");
  why.set_state("QUEUED");
  SetReason(why.mutable_reason(), "NO_CAPACITY", "waits for 1 slot in pool default", "scheduler");
  why.add_details("Pool default has 3 slots; none is free.");
  why.add_details("It is the first in the queue.");
  *why.add_history() = Moved(absl::Minutes(11), "trial", 19, "QUEUED");
  model->preview.set_searcher("adaptive_asha");
  for (int64_t bracket = 0; bracket < 2; ++bracket) {
    api::PlannedTrials* planned = model->preview.add_planned();
    planned->set_bracket(bracket);
    planned->set_trials(9 - 4 * bracket);
    planned->set_units(bracket == 0 ? 100 : 0);
    planned->set_time_metric("batches");
  }
  model->preview.add_samples_json(R"({"lr":0.01})");
  model->preview.add_samples_json(R"({"lr":0.2})");
}

}  // namespace

absl::Time SampleNow() {
  return absl::FromUnixSeconds(1'772'366'400);  // 2026-03-01T12:00:00Z
}

Model SampleModel() {
  Model model;
  model.health.set_now_unix_nanos(absl::ToUnixNanos(SampleNow()));
  *model.health.add_checks() = Check("database", "ok", "answers in 1ms, holds 12 MiB", "");
  *model.health.add_checks() =
      Check("disk", "warn", "900 MiB (4%) free for the database", "make room on the disk of /data");
  AddCluster(&model);
  AddExperiments(&model);
  AddTrials(&model);
  AddReports(&model);
  AddCheckpoints(&model);
  AddAnswers(&model);
  return model;
}

}  // namespace det::cli
