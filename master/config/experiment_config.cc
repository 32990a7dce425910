#include "master/config/experiment_config.h"

#include <re2/re2.h>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::config {
namespace {

// One that can't be compiled would never be seen to match.
void CheckPatterns(const spec::ExperimentSpec& spec, Problems* problems) {
  for (size_t i = 0; i < spec.log_policies.size(); ++i) {
    const std::string& pattern = spec.log_policies[i].pattern;
    if (pattern.empty()) continue;
    const RE2 compiled(pattern, RE2::Quiet);
    if (compiled.ok()) continue;
    problems->push_back({.path = StrCat("log_policies[", i, "].pattern"),
                         .message = StrCat("is no regular expression: ", compiled.error()),
                         .hint = "the syntax is RE2's: no look-around, no back-references"});
  }
}

// A secret that was taken out of its place may stand elsewhere as well.
void WarnOfCopies(const ParsedConfig& parsed, Problems* problems) {
  constexpr size_t kTellingBytes = 8;
  if (parsed.secrets.empty()) return;
  const std::string effective = spec::ToValue(parsed.spec).ToJson();
  for (const TakenSecret& secret : parsed.secrets) {
    const std::string quoted = QuoteJson(secret.value.Reveal());
    const std::string inner = quoted.substr(1, quoted.size() - 2);
    if (inner.size() < kTellingBytes || effective.find(inner) == std::string::npos) continue;
    problems->push_back({.severity = Problem::Severity::kWarning,
                         .path = secret.path,
                         .message = "stands elsewhere in the configuration too, and is recorded "
                                    "there in clear"});
  }
}

void Judge(const ConfigInput& input,
           const Value& config,
           const ParsedConfig& parsed,
           Problems* problems) {
  if (!input.parse_only) spec::CheckCurrent(config, problems);
  spec::CheckEntrypoint(parsed.spec, problems);
  CheckPatterns(parsed.spec, problems);
  if (HasErrors(*problems)) return;
  spec::CheckStart(parsed.spec, problems);
  WarnOfCopies(parsed, problems);
}

}  // namespace

absl::StatusOr<ParsedConfig> ParseExperimentConfig(const ConfigInput& input,
                                                   const spec::ParseDefaults& defaults,
                                                   const ClusterLayers& cluster) {
  Layers layers(input.name, input.text, input.overrides);
  layers.AddTemplates(cluster, input.template_name);
  layers.AddDefaults(cluster, defaults.resource_pool);
  MergedConfig merged = layers.Merge();
  ProblemReport report = layers.Report(&merged);
  layers.AddProblems(&report);
  for (const Problem& problem : merged.problems) report.Add(problem);
  // A configuration that could not be read whole would have problems that are none.
  DET_RETURN_IF_ERROR(report.Errors());
  ParsedConfig parsed;
  Problems problems;
  CheckSecrets(merged.value, &problems);
  parsed.secrets = TakeSecrets(input.secret_prefix, &merged.value);
  parsed.spec = spec::ParseExperiment(merged.value, defaults, &problems);
  Judge(input, merged.value, parsed, &problems);
  for (const Problem& problem : problems) report.Add(problem);
  DET_RETURN_IF_ERROR(report.Errors());
  parsed.warnings = report.Warnings();
  parsed.text = HideSecrets(input.text);
  return parsed;
}

}  // namespace det::config
