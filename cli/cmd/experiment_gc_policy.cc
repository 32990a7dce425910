#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct Options {
  std::string id;
  std::optional<int64_t> experiment_best;
  std::optional<int64_t> trial_best;
  std::optional<int64_t> trial_latest;
  bool yes = false;
};

absl::StatusOr<api::SetRetentionRequest> MakeRequest(const Options& options) {
  api::SetRetentionRequest request;
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "experiment"));
  request.set_experiment(id);
  for (const auto& value : {options.experiment_best, options.trial_best, options.trial_latest}) {
    if (value.value_or(0) < 0) return UsageError("a number of checkpoints to keep is from 0 on");
  }
  if (options.experiment_best) request.set_save_experiment_best(*options.experiment_best);
  if (options.trial_best) request.set_save_trial_best(*options.trial_best);
  if (options.trial_latest) request.set_save_trial_latest(*options.trial_latest);
  request.set_validate_only(!options.yes);
  return request;
}

Report PolicyReport(const api::SetRetentionResponse& response, bool done) {
  const api::RetentionPolicy& policy = response.policy();
  std::string text = StrCat("save_experiment_best ",
                            policy.save_experiment_best(),
                            ", save_trial_best ",
                            policy.save_trial_best(),
                            ", save_trial_latest ",
                            policy.save_trial_latest(),
                            ": ",
                            done ? "" : "would keep ",
                            Count(response.kept_count(), "checkpoint"),
                            done ? " stay, " : " and delete ",
                            response.going_count(),
                            " (",
                            BytesText(response.going_bytes()),
                            ")",
                            done ? " go\n" : "\nnothing is changed yet: say --yes\n");
  Table table{.columns = {{"uuid"}, {"trial"}}, .key = "uuid"};
  for (const api::Deletion& one : response.going()) {
    table.rows.push_back({one.uuid(), int64_t{one.trial()}});
  }
  return {ToDocument(response), std::move(table), {{"", std::move(text)}}};
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const api::SetRetentionRequest request, MakeRequest(options));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::SetRetentionResponse response, client->SetRetention(request));
  DET_RETURN_IF_ERROR(context.Show(PolicyReport(response, options.yes)));
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentGcPolicyCommand() {
  auto options = std::make_shared<Options>();
  return {
      .noun = "experiment",
      .verb = "gc-policy",
      .summary = "Set how many checkpoints an experiment keeps.",
      .details =
          "Without --yes it only says what would go. Numbers that are not named stay as they are. "
          "What a live trial would go on from never goes.",
      .params =
          {Required("EXPERIMENT", &options->id, "the experiment: 7 or e7"),
           Option("--save-experiment-best", "N", &options->experiment_best, "the best of all"),
           Option("--save-trial-best", "N", &options->trial_best, "the best of each trial"),
           Option("--save-trial-latest", "N", &options->trial_latest, "the newest of each trial"),
           Flag("-y,--yes", &options->yes, "do it")},
      .examples = {{"det e gc-policy 7 --save-trial-best 0 --save-trial-latest 0 "
                    "--save-experiment-best 1",
                    "what would go if only the best stayed"}},
      .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
