#include "master/config/experiment_config.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/config/yaml.h"
#include "master/config/overrides.h"

namespace det::config {
namespace {

using spec::Problem;

constexpr size_t kErrorsMax = 20;
constexpr int kLevelsMax = 32;           // looked at for the place of a problem
constexpr size_t kErrorBytesMax = 6000;  // what gRPC takes in a status is little

// What is wrong so far, and how to say where.
class Report {
 public:
  Report(std::string_view name,
         const YamlDocument& document,
         const std::vector<Override>& overrides)
      : name_(name), document_(document), overrides_(overrides) {}

  void AddOfFile(TextProblem problem) { items_.push_back({.problem = std::move(problem)}); }
  void AddOfOverride(OverrideProblem problem) {
    items_.push_back({.override = problem.shown, .problem = std::move(problem.problem)});
  }
  void AddOfSpec(const Problem& problem) {
    Item item{.problem = {.warning = problem.severity == Problem::Severity::kWarning,
                          .message = Message(problem),
                          .hint = problem.hint}};
    if (const Override* source = FindOverride(problem.path)) {
      item.override = source->shown;
    } else {
      item.problem.mark = Mark(problem);
    }
    items_.push_back(std::move(item));
  }

  // OK when there are no errors.
  absl::Status Errors() const {
    const std::vector<std::string> rendered = Render(false);
    if (rendered.empty()) return absl::OkStatus();
    std::string text;
    size_t shown = 0;
    while (shown < std::min(rendered.size(), kErrorsMax) &&
           (shown == 0 || text.size() + rendered[shown].size() < kErrorBytesMax)) {
      StrAppend(text, shown == 0 ? "" : "\n", rendered[shown]);
      ++shown;
    }
    if (shown < rendered.size()) StrAppend(text, "\nand ", rendered.size() - shown, " more errors");
    return Error(absl::StatusCode::kInvalidArgument, "INVALID_CONFIG", text);
  }

  std::vector<std::string> Warnings() const { return Render(true); }

 private:
  struct Item {
    std::string override;  // "" when it is of the file
    TextProblem problem;
  };

  // A message about a key names it already, and one about the whole needs no name.
  static std::string Message(const Problem& problem) {
    if (problem.at_key || problem.path.empty()) return problem.message;
    return StrCat(Printable(problem.path, 120), ": ", problem.message);
  }

  // The override that a problem at the path comes from. The last one that gave the value, or, when
  // the file has nothing there, the last one that made a map on the way to its own value.
  const Override* FindOverride(std::string_view path) const {
    const auto gave = std::find_if(overrides_.rbegin(), overrides_.rend(), [&](const Override& it) {
      return IsWithin(path, it.path);
    });
    if (gave != overrides_.rend()) return &*gave;
    if (path.empty() || document_.ValueMark(path).has_value()) return nullptr;
    const auto made = std::find_if(overrides_.rbegin(), overrides_.rend(), [&](const Override& it) {
      return IsWithin(it.path, path);
    });
    return made != overrides_.rend() ? &*made : nullptr;
  }

  // A list or map that begins on a later line than its key is shown at the key. What is not there
  // is shown where it is missing. The whole has no place: its first line says nothing.
  TextMark Mark(const Problem& problem) const {
    std::string_view path = problem.path;
    for (int i = 0; i < kLevelsMax && !path.empty(); ++i) {
      const auto key = document_.KeyMark(path);
      const auto value = document_.ValueMark(path);
      if (key.has_value() && (problem.at_key || value->line != key->line)) return *key;
      if (value.has_value()) return *value;
      path = path.substr(0, std::min(path.size(), path.find_last_of(".[") + 1));
      if (!path.empty()) path.remove_suffix(1);
    }
    const bool whole = document_.value().is_object() || document_.value().is_null();
    return whole ? TextMark() : document_.ValueMark("").value_or(TextMark());
  }

  std::vector<std::string> Render(bool warnings) const {
    std::vector<const Item*> chosen;
    for (const Item& item : items_) {
      if (item.problem.warning == warnings) chosen.push_back(&item);
    }
    std::stable_sort(chosen.begin(), chosen.end(), [](const Item* a, const Item* b) {
      if (a->override.empty() != b->override.empty()) return a->override.empty();
      const TextMark& x = a->problem.mark;
      const TextMark& y = b->problem.mark;
      return x.line != y.line ? x.line < y.line : x.column < y.column;
    });
    std::vector<std::string> out;
    for (const Item* item : chosen) {
      out.push_back(item->override.empty() ? RenderProblem(name_, document_.text(), item->problem)
                                           : RenderProblem(item->override, "", item->problem));
    }
    return out;
  }

  const std::string_view name_;
  const YamlDocument& document_;
  const std::vector<Override>& overrides_;
  std::vector<Item> items_;
};

}  // namespace

absl::StatusOr<ParsedConfig> ParseExperimentConfig(const ConfigInput& input,
                                                   const spec::ParseDefaults& defaults) {
  YamlDocument document;
  std::vector<OverrideProblem> override_problems;
  std::vector<TextProblem> file_problems = ReadYaml(input.text, {}, &document);
  const std::vector<Override> overrides = ReadOverrides(input.overrides, &override_problems);
  Value config = document.value();
  ApplyOverrides(overrides, &config, &override_problems);

  Report report(input.name, document, overrides);
  for (TextProblem& problem : file_problems) report.AddOfFile(std::move(problem));
  for (OverrideProblem& problem : override_problems) report.AddOfOverride(std::move(problem));
  ParsedConfig parsed;
  // A configuration that could not be read whole would have problems that are none.
  DET_RETURN_IF_ERROR(report.Errors());
  spec::Problems problems;
  parsed.spec = spec::ParseExperiment(config, defaults, &problems);
  for (const Problem& problem : problems) report.AddOfSpec(problem);
  DET_RETURN_IF_ERROR(report.Errors());
  parsed.warnings = report.Warnings();
  return parsed;
}

}  // namespace det::config
