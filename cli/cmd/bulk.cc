#include "cli/cmd/bulk.h"

#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/selection.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

Document ErrorDocument(const absl::Status& status) {
  return Document()
      .Add("reason", ErrorReason(status))
      .Add("message", std::string(FromAbsl(status.message())))
      .Add("hint", ErrorHint(status));
}

Document OutcomeDocument(const Outcome& outcome) {
  const bool ok = outcome.result.ok();
  return Document()
      .Add("id", outcome.id)
      .Add("ok", ok)
      .Add("experiment", ok ? ToDocument(*outcome.result) : Document())
      .Add("error", ok ? Document() : ErrorDocument(outcome.result.status()));
}

std::vector<Cell> OutcomeRow(const Outcome& outcome) {
  if (outcome.result.ok()) {
    return {outcome.id, std::string("true"), StateName{outcome.result->state()}, {}, {}};
  }
  const absl::Status& status = outcome.result.status();
  return {outcome.id,
          std::string("false"),
          {},
          TextCell(ErrorReason(status)),
          std::string(FromAbsl(status.message()))};
}

Report OutcomeReport(const std::vector<Outcome>& outcomes, Format format) {
  Document::List list;
  Table table{.columns = {{"id"}, {"ok"}, {"state"}, {"reason"}, {"message"}}, .key = "id"};
  std::string text;
  for (const Outcome& outcome : outcomes) {
    list.push_back(OutcomeDocument(outcome));
    if (outcome.result.ok()) {
      StrAppend(text,
                "experiment ",
                outcome.id,
                ": ",
                outcome.done.empty() ? outcome.result->state() : outcome.done,
                "\n");
    }
    // Names are those on which the next command may act.
    if (outcome.result.ok() || format != Format::kName) table.rows.push_back(OutcomeRow(outcome));
  }
  return {std::move(list), std::move(table), {{"", std::move(text)}}};
}

ExitCode CodeOfAll(const std::vector<Outcome>& outcomes, size_t asked) {
  const auto ok = [](const Outcome& outcome) { return outcome.result.ok(); };
  const auto done = static_cast<size_t>(std::count_if(outcomes.begin(), outcomes.end(), ok));
  if (done == asked) return ExitCode::kOk;
  if (done > 0) return ExitCode::kPartial;
  return CodeOf(outcomes[0].result.status());
}

absl::StatusOr<ExitCode> Run(Context& context, const Act& act, const Selection& selection) {
  DET_ASSIGN_OR_RETURN(const std::vector<int64_t> ids,
                       Select(context, selection, {act.verb, act.needs_yes}));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  std::vector<Outcome> outcomes;
  for (const int64_t id : ids) {
    const absl::StatusOr<api::ExperimentResponse> response = (client->*act.call)(id);
    const absl::Status& status = response.status();
    outcomes.push_back({id, absl::UnknownError("")});
    if (!status.ok()) outcomes.back().result = status;
    if (status.ok()) outcomes.back().result = response->experiment();
    if (!status.ok()) context.PrintError(status);
    // A master that is not there is so for the others as well.
    if (CodeOf(status) == ExitCode::kUnreachable) break;
  }
  return ShowOutcomes(context, outcomes, ids.size());
}

}  // namespace

absl::StatusOr<ExitCode> ShowOutcomes(Context& context,
                                      const std::vector<Outcome>& outcomes,
                                      size_t asked) {
  DET_RETURN_IF_ERROR(context.Show(OutcomeReport(outcomes, context.options().format)));
  return CodeOfAll(outcomes, asked);
}

Command BulkCommand(Act act) {
  auto selection = std::make_shared<Selection>();
  Command command{.noun = "experiment",
                  .verb = act.verb,
                  .aliases = act.aliases,
                  .summary = act.summary,
                  .params = {Optional("ID", &selection->ids, "the experiments: 7 or e7"),
                             FilterParam(selection.get()),
                             YesParam(selection.get())},
                  .examples = act.examples};
  command.run = [selection, act = std::move(act)](Context& context) {
    return Run(context, act, *selection);
  };
  return command;
}

}  // namespace det::cli
