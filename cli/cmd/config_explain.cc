#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

Report ExplainReport(const api::ExplainConfigResponse& response, bool one) {
  Report report;
  report.document = ToDocumentList(response.keys());
  report.table.columns = {{.name = "path"},
                          {.name = "type", .shrinks = true},
                          {.name = "default_value"},
                          {.name = "effect", .rank = 1},
                          {.name = "meaning", .shrinks = true}};
  report.table.key = "path";
  for (const api::ConfigKey& key : response.keys()) {
    report.table.rows.push_back(
        {key.path(), key.type(), key.default_value(), key.effect(), key.meaning()});
  }
  if (!one || response.keys().empty()) return report;
  const api::ConfigKey& key = response.keys(0);
  report.sections = {{"",
                      Fields{{"key", key.path()},
                             {"meaning", key.meaning()},
                             {"type", key.type()},
                             {"default", key.default_value()},
                             {"effect", key.effect()}}}};
  if (response.keys_size() > 1) {
    Table below = report.table;
    below.rows.erase(below.rows.begin());
    report.sections.push_back({"Below it", std::move(below)});
  }
  return report;
}

absl::StatusOr<ExitCode> Run(Context& context, const std::string& key) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  api::ExplainConfigRequest request;
  request.set_key(key);
  DET_ASSIGN_OR_RETURN(const api::ExplainConfigResponse response, client->ExplainConfig(request));
  DET_RETURN_IF_ERROR(context.Show(ExplainReport(response, !key.empty())));
  return ExitCode::kOk;
}

}  // namespace

Command ConfigExplainCommand() {
  auto key = std::make_shared<std::string>();
  return {.noun = "config",
          .verb = "explain",
          .summary = "Explain a key of the configuration, as this cluster's version has it.",
          .params = {Optional("KEY", key.get(), "as searcher.max_trials; without it: all keys")},
          .examples = {{"det config explain searcher.max_trials", "one key"},
                       {"det config explain resources", "a group of keys"},
                       {"det config explain -o csv", "all of them"}},
          .run = [key](Context& context) { return Run(context, *key); }};
}

}  // namespace det::cli
