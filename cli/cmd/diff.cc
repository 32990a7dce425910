#include <memory>
#include <utility>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/diff_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"

namespace det::cli {
namespace {

// What is compared of an experiment or a trial; a trial has the configuration and the code of its
// experiment.
struct Side {
  std::string name;
  Value config = Value::Object();
  Value hparams = Value::Object();
  Value code = Value::Object();
  Value metrics = Value::Object();
};

Value JsonOf(const std::string& text) {
  absl::StatusOr<Value> value = ParseJson(text.empty() ? "{}" : text);
  return value.ok() ? *std::move(value) : Value(text);
}

void PutExperiment(const api::GetExperimentResponse& response, Side* side) {
  const api::Experiment& experiment = response.experiment();
  side->config = JsonOf(response.effective_config());
  // Hyperparameters have a part of their own.
  if (side->config.is_object()) side->config.as_object().erase("hyperparameters");
  side->code["sha256"] = experiment.context_sha256();
}

absl::StatusOr<Side> TrialSide(Client* client, int64_t id) {
  Side side{.name = StrCat("trial ", id)};
  DET_ASSIGN_OR_RETURN(const api::GetTrialResponse response, client->GetTrial(id));
  const api::Trial& trial = response.trial();
  DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse owner,
                       client->GetExperiment(trial.experiment()));
  PutExperiment(owner, &side);
  side.hparams = JsonOf(trial.hparams_json());
  side.metrics["state"] = trial.state();
  if (trial.has_best_metric())
    side.metrics[StrCat("best ", owner.experiment().metric())] = trial.best_metric();
  if (trial.has_latest_metric())
    side.metrics[StrCat("latest ", owner.experiment().metric())] = trial.latest_metric();
  side.metrics["batches"] = int64_t{trial.latest_steps()};
  side.metrics["training"] = JsonOf(trial.latest_training_json());
  return side;
}

absl::StatusOr<Side> ExperimentSide(Client* client, int64_t id) {
  Side side{.name = StrCat("experiment ", id)};
  DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse response, client->GetExperiment(id));
  PutExperiment(response, &side);
  const Value config = JsonOf(response.effective_config());
  if (const Value* hparams = config.Find("hyperparameters")) side.hparams["space"] = *hparams;
  const api::Experiment& experiment = response.experiment();
  side.metrics["state"] = experiment.state();
  side.metrics["trials"] = int64_t{experiment.trials_created()};
  if (experiment.has_best_metric())
    side.metrics[StrCat("best ", experiment.metric())] = experiment.best_metric();
  if (experiment.best_trial() != 0) {
    side.metrics["best trial"] = int64_t{experiment.best_trial()};
    const auto best = client->GetTrial(experiment.best_trial());
    if (best.ok()) side.hparams["best"] = JsonOf(best->trial().hparams_json());
  }
  return side;
}

absl::StatusOr<Side> SideOf(Client* client, const std::string& word) {
  if (word.starts_with('t')) {
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(word, 't', "trial"));
    return TrialSide(client, id);
  }
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(word, 'e', "experiment"));
  return ExperimentSide(client, id);
}

struct Words {
  std::string left;
  std::string right;
};

absl::StatusOr<ExitCode> Run(Context& context, const Words& words) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const Side left, SideOf(client, words.left));
  DET_ASSIGN_OR_RETURN(const Side right, SideOf(client, words.right));
  DET_RETURN_IF_ERROR(
      context.Show(DiffReport({left.name, right.name},
                              {{"configuration", DifferencesOf(left.config, right.config)},
                               {"hyperparameters", DifferencesOf(left.hparams, right.hparams)},
                               {"code", DifferencesOf(left.code, right.code)},
                               {"metrics", DifferencesOf(left.metrics, right.metrics)}})));
  return ExitCode::kOk;
}

}  // namespace

Command DiffCommand() {
  auto words = std::make_shared<Words>();
  return {.verb = "diff",
          .summary = "Show in what two experiments or trials differ, and what came of it.",
          .details =
              "Compares configurations, hyperparameters, the model directories by their "
              "SHA-256, and metrics.",
          .params = {Required("A", &words->left, "7 or e7: an experiment; t17: a trial"),
                     Required("B", &words->right, "the other")},
          .examples = {{"det diff 6 7", "what did I change, and did it help?"},
                       {"det diff t17 t19", "two trials"}},
          .run = [words](Context& context) { return Run(context, *words); }};
}

}  // namespace det::cli
