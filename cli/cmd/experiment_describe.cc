#include <iterator>
#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/experiment_view.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

// "7", or several as in Determined: 7,8.
absl::StatusOr<std::vector<int64_t>> IdsOf(const std::vector<std::string>& words) {
  std::vector<std::string> texts;
  for (const std::string& word : words) {
    const std::vector<std::string> some = SplitIds(word);
    texts.insert(texts.end(), some.begin(), some.end());
  }
  return ParseIds(texts, 'e', "experiment");
}

// Several are a list, one below the other.
absl::StatusOr<Report> ReportOf(Client* client, const std::vector<int64_t>& ids) {
  Document::List list;
  Report all;
  for (const int64_t id : ids) {
    DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse response, client->GetExperiment(id));
    Report one = ExperimentReport(response);
    if (ids.size() == 1) return one;
    list.push_back(std::move(one.document));
    std::move(one.sections.begin(), one.sections.end(), std::back_inserter(all.sections));
    if (all.table.columns.empty()) {
      all.table = std::move(one.table);
    } else {
      std::move(one.table.rows.begin(), one.table.rows.end(), std::back_inserter(all.table.rows));
    }
  }
  all.document = std::move(list);
  return all;
}

absl::StatusOr<ExitCode> Run(Context& context, const std::vector<std::string>& words) {
  DET_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, IdsOf(words));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(Report report, ReportOf(client, ids));
  DET_RETURN_IF_ERROR(context.Show(std::move(report)));
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentDescribeCommand() {
  auto ids = std::make_shared<std::vector<std::string>>();
  return {.noun = "experiment",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show one experiment: its state and why, its best trial, its history.",
          .params = {Required("ID", ids.get(), "the experiment: 7 or e7; or several: 7,8"),
                     NoFlag("--metrics", "det metrics eID prints what its trials have measured"),
                     NoOption("--outdir", "-o csv prints tables for a file of yours")},
          .examples = {{"det e describe 7", "all about experiment 7"},
                       {"det e describe 7 -o json", "with its effective configuration"}},
          .run = [ids](Context& context) { return Run(context, *ids); }};
}

}  // namespace det::cli
