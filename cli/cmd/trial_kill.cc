#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/trial_pages.h"
#include "cli/format/quantity.h"
#include "cli/view/proto_document.h"
#include "cli/view/trial_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

constexpr int64_t kFoundMax = 100'000;

struct Options {
  std::vector<std::string> ids;
  std::string filter;
  bool yes = false;
};

// The trials named, or those that a filter finds: shown and, without --yes, left alone.
absl::StatusOr<std::vector<int64_t>> SelectTrials(Context& context, const Options& options) {
  if (options.ids.empty() == options.filter.empty()) {
    return UsageError(
        options.ids.empty() ? "name the trials" : "IDs and --filter exclude each other",
        "17 18, or --filter 'experiment = 7 and best_metric > 1'");
  }
  DET_ASSIGN_OR_RETURN(std::vector<int64_t> ids, ParseIds(options.ids, 't', "trial"));
  if (options.filter.empty()) return ids;
  TrialQuery query;
  query.ask.filter = StrCat("(", options.filter, ") and ended = null");
  query.ask.limit = kFoundMax;
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const TrialPages found, ListTrials(client, query));
  for (const api::Trial& trial : found.trials) ids.push_back(trial.id());
  if (ids.empty()) {
    return Error(absl::StatusCode::kNotFound,
                 "NOTHING_FOUND",
                 StrCat("no trial that has not ended matches ", QuoteJson(options.filter)),
                 "det t list --filter shows what there is");
  }
  if (options.yes) return ids;
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(found.trials), TrialTable(found.trials), {}}));
  return UsageError(StrCat("nothing was done: det t kill of these ", Count(ids.size(), "trial")),
                    "repeat it with --yes");
}

// It goes on after an error: 8 when some worked, else the code of the first error.
absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, SelectTrials(context, options));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  std::vector<api::Trial> killed;
  absl::Status first;
  std::string text;
  for (const int64_t id : ids) {
    const absl::StatusOr<api::KillTrialResponse> response = client->KillTrial(id);
    if (!response.ok()) {
      first.Update(response.status());
      context.PrintError(response.status());
      continue;
    }
    killed.push_back(response->trial());
    StrAppend(text, "trial ", id, ": ", response->trial().state(), "\n");
  }
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(killed), TrialTable(killed), {{"", text}}}));
  if (first.ok()) return ExitCode::kOk;
  return killed.empty() ? CodeOf(first) : ExitCode::kPartial;
}

}  // namespace

Command TrialKillCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "trial",
          .verb = "kill",
          .summary = "Kill trials at once; their searches go on without them.",
          .params = {Optional("ID", &options->ids, "the trials: 17 or t17"),
                     Option("--filter",
                            "EXPR",
                            &options->filter,
                            "in place of IDs: those that match and have not ended, shown first"),
                     Flag("-y,--yes", &options->yes, "do it without showing it first")},
          .examples = {{"det t kill 17", "stop one trial of a search"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
