#include "common/config/settings_file.h"

#include "common/base/status.h"
#include "common/config/problem_report.h"
#include "common/config/yaml.h"
#include "common/log/log.h"
#include "common/os/fs.h"

namespace det {
namespace {

constexpr size_t kSettingsBytesMax = 1 << 20;

}  // namespace

absl::Status ReadSettings(const std::string& path,
                          const std::function<void(const Value&, Problems*)>& read) {
  Problems problems;
  if (path.empty()) {
    read(Value(), &problems);
    return absl::OkStatus();
  }
  const absl::StatusOr<std::string> text = ReadFile(path, kSettingsBytesMax);
  if (!text.ok()) {
    return Error(
        absl::StatusCode::kInvalidArgument, "NO_CONFIG", std::string(text.status().message()));
  }
  YamlDocument document;
  ProblemReport report(path, document);
  for (TextProblem& problem : ReadYaml(*text, {}, &document)) report.Add(std::move(problem));
  DET_RETURN_IF_ERROR(report.Errors());
  read(document.value(), &problems);
  for (const Problem& problem : problems) report.Add(problem);
  DET_RETURN_IF_ERROR(report.Errors());
  for (const std::string& warning : report.Warnings()) LogWarning(warning);
  return absl::OkStatus();
}

}  // namespace det
