#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/proto_document.h"
#include "cli/view/trial_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// It goes on after an error: 8 when some worked, else the code of the first error.
absl::StatusOr<ExitCode> Run(Context& context, const std::vector<std::string>& words) {
  DET_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, ParseIds(words, 't', "trial"));
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
  auto ids = std::make_shared<std::vector<std::string>>();
  return {.noun = "trial",
          .verb = "kill",
          .summary = "Kill trials at once; their searches go on without them.",
          .params = {Required("ID", ids.get(), "the trials: 17 or t17")},
          .examples = {{"det t kill 17", "stop one trial of a search"}},
          .run = [ids](Context& context) { return Run(context, *ids); }};
}

}  // namespace det::cli
