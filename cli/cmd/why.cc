#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/cluster_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

struct Kind {
  char letter;
  const char* name;
};
constexpr Kind kKinds[] = {{'e', "experiment"}, {'t', "trial"}, {'a', "allocation"}};

absl::StatusOr<api::ExplainRequest> ParseSubject(const std::string& text) {
  api::ExplainRequest request;
  for (const Kind& kind : kKinds) {
    const bool plain = kind.letter == 'e' && !text.empty() && text[0] >= '0' && text[0] <= '9';
    if (!plain && !text.starts_with(kind.letter)) continue;
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(text, kind.letter, kind.name));
    request.set_kind(kind.name);
    request.set_id(id);
    return request;
  }
  return UsageError(StrCat(QuoteJson(text), " names nothing"),
                    "7 or e7 is an experiment, t17 a trial, a9 an allocation");
}

absl::StatusOr<ExitCode> Run(Context& context, const std::string& id) {
  DET_ASSIGN_OR_RETURN(const api::ExplainRequest request, ParseSubject(id));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::ExplainResponse explained, client->Explain(request));
  DET_RETURN_IF_ERROR(context.Show(ExplainReport(explained)));
  return ExitCode::kOk;
}

}  // namespace

Command WhyCommand() {
  auto id = std::make_shared<std::string>();
  return {.verb = "why",
          .summary = "Say why something is in its state, and how it came there.",
          .params = {Required("ID",
                              id.get(),
                              "7 or e7: an experiment; t17: a trial; a9: an "
                              "allocation, which is one run of a trial")},
          .examples = {{"det why t17", "why does trial 17 wait?"},
                       {"det why 7", "why did experiment 7 end?"}},
          .run = [id](Context& context) { return Run(context, *id); }};
}

}  // namespace det::cli
