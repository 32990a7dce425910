#include "cli/cmd/follow_experiment.h"

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/follow/follow.h"
#include "cli/format/quantity.h"
#include "cli/view/experiment_view.h"
#include "cli/view/history_view.h"
#include "cli/view/hparams.h"
#include "cli/view/proto_document.h"
#include "cli/view/trial_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int kLeaders = 5;
constexpr int kLastLines = 5;

// All that is told of an experiment that has ended.
struct Ending {
  api::Experiment experiment;
  std::vector<api::Trial> leaders;
  std::optional<api::Checkpoint> checkpoint;
  std::optional<FailedTrial> failed;
};

// The last lines that a trial printed, those of the standard error if there are any.
absl::StatusOr<std::string> LastLines(Client* client, int64_t trial) {
  api::SearchLogsRequest request;
  request.set_trial(trial);
  request.set_order(api::SearchLogsRequest::ORDER_NEWEST_FIRST);
  request.set_limit(kLastLines);
  request.mutable_filter()->add_sources("stderr");
  DET_ASSIGN_OR_RETURN(api::SearchLogsResponse found, client->SearchLogs(request));
  if (found.lines().empty()) {
    request.clear_filter();
    DET_ASSIGN_OR_RETURN(found, client->SearchLogs(request));
  }
  std::string text;
  for (auto line = found.lines().rbegin(); line != found.lines().rend(); ++line) {
    StrAppend(text, line->text(), line->partial() ? "" : "\n");
  }
  if (!text.empty() && text.back() != '\n') text.push_back('\n');
  return text;
}

absl::StatusOr<Ending> FetchEnding(Client* client, int64_t experiment) {
  Ending ending;
  DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse got, client->GetExperiment(experiment));
  ending.experiment = got.experiment();
  api::ListTrialsRequest trials;
  trials.set_experiment(experiment);
  trials.set_order(api::ListTrialsRequest::ORDER_BY_BEST);
  trials.set_limit(kLeaders);
  DET_ASSIGN_OR_RETURN(const api::ListTrialsResponse leaders, client->ListTrials(trials));
  ending.leaders.assign(leaders.trials().begin(), leaders.trials().end());
  api::ListCheckpointsRequest checkpoints;
  checkpoints.set_experiment(experiment);
  checkpoints.set_limit(1);
  DET_ASSIGN_OR_RETURN(const api::ListCheckpointsResponse best,
                       client->ListCheckpoints(checkpoints));
  if (best.checkpoints_size() > 0) ending.checkpoint = best.checkpoints(0);
  DET_ASSIGN_OR_RETURN(ending.failed, FindFailedTrial(client, experiment));
  return ending;
}

Document FailedDocument(const std::optional<FailedTrial>& failed) {
  if (!failed.has_value()) return {};
  Document document = ToDocument(failed->trial);
  return document.Add("last_lines", failed->last_lines);
}

Fields SummaryFields(const api::Experiment& experiment) {
  const absl::Time created = absl::FromUnixNanos(experiment.created_unix_nanos());
  const absl::Time ended = absl::FromUnixNanos(experiment.ended_unix_nanos());
  Fields fields = {{"experiment", int64_t{experiment.id()}},
                   {"state", StateName{experiment.state()}},
                   {"trials", int64_t{experiment.trials_created()}}};
  if (experiment.ended_unix_nanos() != 0)
    fields.emplace_back("took", DurationText(ended - created));
  if (const std::string reason = ReasonText(experiment.reason()); !reason.empty()) {
    fields.emplace_back("reason", reason);
  }
  return fields;
}

Fields CheckpointFields(const api::Checkpoint& checkpoint) {
  return {{"uuid", checkpoint.uuid()},
          {"trial", StrCat(checkpoint.trial(), " at ", checkpoint.steps_completed(), " batches")},
          {"metric", NumberCell(checkpoint.has_metric(), checkpoint.metric())},
          {"size", Bytes{checkpoint.bytes()}},
          {"where", TextCell(checkpoint.directory())}};
}

Report EndingReport(const Ending& ending, const Terminal& terminal) {
  Report report;
  report.document.Add("experiment", ToDocument(ending.experiment))
      .Add("best_trials", ToDocumentList(ending.leaders))
      .Add("best_checkpoint",
           ending.checkpoint.has_value() ? ToDocument(*ending.checkpoint) : Document())
      .Add("failed_trial", FailedDocument(ending.failed));
  const Table leaders = LeaderboardTable(ending.leaders, ending.experiment.metric(), terminal);
  report.table = leaders;
  report.sections.push_back({"", SummaryFields(ending.experiment)});
  if (!ending.leaders.empty()) report.sections.push_back({"Best trials", leaders});
  if (!ending.leaders.empty() && ending.leaders[0].has_best_metric()) {
    Hparams hparams = FlattenHparams(ending.leaders[0].hparams_json());
    if (!hparams.empty()) report.sections.push_back({"Best hyperparameters", std::move(hparams)});
  }
  if (ending.checkpoint.has_value()) {
    report.sections.push_back({"Best checkpoint", CheckpointFields(*ending.checkpoint)});
  }
  if (ending.failed.has_value() && !ending.failed->last_lines.empty()) {
    report.sections.push_back(
        {StrCat("Last lines of trial ", ending.failed->trial.id()), ending.failed->last_lines});
  }
  return report;
}

void GiveHints(Context& context, const Ending& ending) {
  if (ending.failed.has_value()) HintAtFailure(context, *ending.failed);
  const bool well = ending.experiment.state() != "ERROR";
  if (!ending.leaders.empty() && well) {
    const auto& first = ending.leaders[0];
    if (first.has_best_metric()) {
      context.Note(StrCat("the best trial: det t describe ", first.id()));
    } else if (!ending.failed.has_value()) {
      context.Note(StrCat("how it went:    det why t", first.id(), ", det t logs ", first.id()));
    }
    context.Note(StrCat("all trials:     det t list ", ending.experiment.id(), " --best"));
  }
  if (!well && !ending.failed.has_value()) {
    context.Note(StrCat("what failed:    det why e", ending.experiment.id()));
  }
  if (ending.checkpoint.has_value()) {
    context.Note(StrCat("the best model: det c download ", ending.checkpoint->uuid()));
  }
}

ExitCode Detach(Context& context, int64_t experiment) {
  context.Note(StrCat("experiment ", experiment, " goes on without this view"));
  context.Note(StrCat("come back: det e watch ", experiment));
  context.Note(StrCat("stop it:   det e kill ", experiment));
  return ExitCode::kInterrupted;
}

}  // namespace

absl::StatusOr<ExitCode> FollowExperiment(Context& context, Client* client, int64_t experiment) {
  DET_ASSIGN_OR_RETURN(const follow::FollowEnd end,
                       follow::Follow(context, client, experiment, {}));
  if (end.detached) return Detach(context, experiment);
  DET_ASSIGN_OR_RETURN(const Ending ending, FetchEnding(client, experiment));
  DET_RETURN_IF_ERROR(
      context.Show(EndingReport(ending, context.OutTerminal()), Context::Paging::kNever));
  GiveHints(context, ending);
  return CodeOfEndState(ending.experiment.state());
}

absl::StatusOr<std::optional<FailedTrial>> FindFailedTrial(Client* client, int64_t experiment) {
  api::ListTrialsRequest request;
  request.set_experiment(experiment);
  request.set_filter("state = ERROR");
  DET_ASSIGN_OR_RETURN(const api::ListTrialsResponse found, client->ListTrials(request));
  for (const api::Trial& trial : found.trials()) {
    if (trial.state() != "ERROR") continue;
    // Without its log it is told of all the same.
    return FailedTrial{trial, LastLines(client, trial.id()).value_or("")};
  }
  return std::nullopt;
}

void HintAtFailure(Context& context, const FailedTrial& failed) {
  context.Note(StrCat("what failed:    det t logs ", failed.trial.id()));
}

ExitCode CodeOfEndState(const std::string& state) {
  if (state == "COMPLETED") return ExitCode::kOk;
  return state == "ERROR" ? ExitCode::kWatchedFailed : ExitCode::kFailure;
}

}  // namespace det::cli
