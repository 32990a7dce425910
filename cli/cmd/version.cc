#include "cli/app/version.h"

#include "cli/app/context.h"
#include "cli/cmd/commands.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context) {
  const std::string version(Version());
  Report report;
  report.document.Add("version", version);
  report.table = {.columns = {{"version"}}, .rows = {{version}}, .key = "version"};
  report.sections = {{"", StrCat("det ", version, "\n")}};
  DET_RETURN_IF_ERROR(context.Show(std::move(report)));
  return ExitCode::kOk;
}

}  // namespace

Command VersionCommand() {
  return {.verb = "version",
          .summary = "Print the version of this command.",
          .details = "The master's own version is part of det status.",
          .examples = {{"det version", "such as det 0.1.0"}},
          .run = Run};
}

}  // namespace det::cli
