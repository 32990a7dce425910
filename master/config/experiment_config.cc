#include "master/config/experiment_config.h"

#include <algorithm>

#include <re2/re2.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/config/problem_report.h"
#include "common/config/yaml.h"
#include "master/config/overrides.h"

namespace det::config {
namespace {

// The override that a problem at the path comes from. The last one that gave the value, or, when
// the file has nothing there, the last one that made a map on the way to its own value.
std::string SourceOf(std::string_view path,
                     const YamlDocument& document,
                     const std::vector<Override>& overrides) {
  const auto gave = std::find_if(overrides.rbegin(), overrides.rend(), [&](const Override& it) {
    return IsWithin(path, it.path);
  });
  if (gave != overrides.rend()) return gave->shown;
  if (path.empty() || document.ValueMark(path).has_value()) return "";
  const auto made = std::find_if(overrides.rbegin(), overrides.rend(), [&](const Override& it) {
    return IsWithin(it.path, path);
  });
  return made != overrides.rend() ? made->shown : "";
}

// A pattern that is none would never match, without a word.
void CheckPatterns(const spec::ExperimentSpec& spec, Problems* problems) {
  for (size_t i = 0; i < spec.log_policies.size(); ++i) {
    const RE2 pattern(spec.log_policies[i].pattern, RE2::Quiet);
    if (pattern.ok()) continue;
    problems->push_back({.path = StrCat("log_policies[", i, "].pattern"),
                         .message = StrCat("is no RE2 pattern: ", pattern.error()),
                         .hint = "see github.com/google/re2/wiki/Syntax"});
  }
}

}  // namespace

absl::StatusOr<ParsedConfig> ParseExperimentConfig(const ConfigInput& input,
                                                   const spec::ParseDefaults& defaults) {
  YamlDocument document;
  std::vector<OverrideProblem> override_problems;
  std::vector<TextProblem> file_problems = ReadYaml(input.text, {}, &document);
  const std::vector<Override> overrides = ReadOverrides(input.overrides, &override_problems);
  Value config = document.value();
  ApplyOverrides(overrides, &config, &override_problems);

  ProblemReport report(input.name, document, [&](std::string_view path) {
    return SourceOf(path, document, overrides);
  });
  for (TextProblem& problem : file_problems) report.Add(std::move(problem));
  for (OverrideProblem& problem : override_problems) {
    report.Add(problem.shown, std::move(problem.problem));
  }
  ParsedConfig parsed;
  // A configuration that could not be read whole would have problems that are none.
  DET_RETURN_IF_ERROR(report.Errors());
  Problems problems;
  parsed.spec = spec::ParseExperiment(config, defaults, &problems);
  if (!input.parse_only) spec::CheckCurrent(config, &problems);
  spec::CheckEntrypoint(parsed.spec, &problems);
  if (!HasErrors(problems)) spec::CheckStart(parsed.spec, &problems);
  CheckPatterns(parsed.spec, &problems);
  for (const Problem& problem : problems) report.Add(problem);
  DET_RETURN_IF_ERROR(report.Errors());
  parsed.warnings = report.Warnings();
  return parsed;
}

}  // namespace det::config
