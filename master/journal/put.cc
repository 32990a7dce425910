#include "master/journal/put.h"

#include "common/base/overload.h"
#include "master/spec/parse.h"

namespace det::journal::internal {

void Put(const core::Reason& reason, pb::Reason* out) {
  out->set_code(reason.code);
  out->set_text(reason.text);
  out->set_actor(reason.actor);
  out->set_since_unix_nanos(absl::ToUnixNanos(reason.since));
}

void Put(const searcher::RequestId& request, pb::RequestId* out) {
  out->set_bracket(request.bracket);
  out->set_index(request.index);
}

void Put(const core::ReportId& report, pb::ReportId* out) {
  out->set_allocation(report.allocation.value());
  out->set_stream(report.stream);
  out->set_seq(report.seq);
}

void Put(const core::LogMatch& match, pb::LogPolicyMatched* out) {
  out->set_policy(match.policy);
  out->set_action(ToProto<pb::LogPolicyMatched::Action>(match.action));
  out->set_agent(match.agent.value());
  out->set_line(match.line);
}

void Put(const searcher::Fact& fact, pb::SearchFact* out) {
  Put(std::visit([](const auto& f) { return f.request; }, fact), out->mutable_request());
  std::visit(overloaded{
                 [&](const searcher::Requested&) { out->mutable_requested(); },
                 [&](const searcher::Measured& f) {
                   out->mutable_measured()->set_rung(f.rung);
                   out->mutable_measured()->set_metric(f.metric);
                 },
                 [&](const searcher::Stopped&) { out->mutable_stopped(); },
                 [&](const searcher::Exited& f) {
                   out->mutable_exited()->set_kind(ToProto<pb::SearchFact::ExitKind>(f.kind));
                 },
             },
             fact);
}

void Put(const searcher::Bracket& bracket, pb::SavedSearch::Bracket* out) {
  out->set_requested(bracket.requested);
  out->set_closed(bracket.closed);
  out->set_invalid(bracket.invalid);
  for (const searcher::Rung& rung : bracket.rungs) {
    pb::SavedSearch::Rung* saved = out->add_rungs();
    for (const auto& [metric, trial] : rung.All()) {
      pb::SavedSearch::Entry* entry = saved->add_entries();
      entry->set_metric(metric);
      entry->set_trial(trial);
    }
  }
  for (const auto& [index, live] : bracket.live) {
    pb::SavedSearch::Live* saved = out->add_live();
    saved->set_trial(index);
    saved->set_rung(live.rung);
    for (const double metric : live.measured) saved->add_measured(metric);
  }
}

void Put(const searcher::State& search, pb::SavedSearch* out) {
  out->set_requested(search.totals.requested);
  out->set_closed(search.totals.closed);
  out->set_errored(search.totals.errored);
  out->set_canceled(search.totals.canceled);
  out->set_invalid(search.totals.invalid);
  const auto* tournament = std::get_if<searcher::TournamentState>(&search.method);
  if (tournament == nullptr) return;
  for (const searcher::Bracket& bracket : tournament->brackets) Put(bracket, out->add_brackets());
}

void Put(const core::Experiment& e, pb::SavedExperiment* out) {
  out->set_id(e.id.value());
  out->set_config_json(spec::ToValue(*e.spec).ToJson());
  out->set_owner(e.owner);
  out->set_context_sha256(e.context);
  out->set_source_checkpoint(e.source_checkpoint);
  out->set_parent(e.parent.value());
  out->set_workspace(e.workspace.value());
  out->set_project(e.project.value());
  out->set_created_unix_nanos(absl::ToUnixNanos(e.created_at));
  out->set_state(ToProto<pb::ExperimentState>(e.state));
  Put(e.reason, out->mutable_reason());
  Put(e.search, out->mutable_search());
  out->set_search_history(e.search_history);
  for (const auto& [request, trial] : e.open_trials) {
    pb::SavedExperiment::OpenTrial* open = out->add_open_trials();
    Put(request, open->mutable_request());
    open->set_trial(trial.value());
  }
  if (e.best.has_value()) {
    out->mutable_best()->set_trial(e.best->trial.value());
    out->mutable_best()->set_metric(e.best->metric);
    out->mutable_best()->set_steps_completed(e.best->steps_completed);
  }
  out->set_metric_reported(e.metric_reported);
  out->set_queue_place(e.queue_position);
}

void Put(const core::Trial& t, int64_t runs, pb::SavedTrial* out) {
  out->set_id(t.id.value());
  out->set_experiment(t.experiment.value());
  out->set_task(t.task.value());
  Put(t.request, out->mutable_request());
  out->set_hparams_json(t.hparams.ToJson());
  out->set_seed(t.seed);
  out->set_created_unix_nanos(absl::ToUnixNanos(t.created_at));
  out->set_state(ToProto<pb::TrialState>(t.state));
  Put(t.reason, out->mutable_reason());
  out->set_source_checkpoint(t.source_checkpoint);
  if (t.latest_checkpoint.has_value()) {
    out->set_latest_checkpoint(t.latest_checkpoint->uuid);
    out->set_latest_checkpoint_steps(t.latest_checkpoint->steps_completed);
  }
  out->set_invalid_hparams(t.invalid_hparams);
  out->set_best_metric(t.best_metric);
  out->set_latest_metric(t.latest_metric);
  out->set_latest_steps(t.latest_steps);
  out->set_validations(t.validations);
  for (const core::LogMatch& match : t.log_matches) Put(match, out->add_log_matches());
  out->set_runs(runs);
}

}  // namespace det::journal::internal
