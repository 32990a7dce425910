#include "common/config/problem_report.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det {
namespace {

constexpr size_t kErrorsMax = 20;
constexpr int kLevelsMax = 32;           // looked at for the place of a problem
constexpr size_t kErrorBytesMax = 6000;  // what gRPC takes in a status is little

// A message about a key names it already, and one about the whole needs no name.
std::string MessageOf(const Problem& problem) {
  if (problem.at_key || problem.path.empty()) return problem.message;
  return StrCat(Printable(problem.path, 120), ": ", problem.message);
}

}  // namespace

void ProblemReport::Add(const Problem& problem) {
  Item item{.problem = {.warning = problem.severity == Problem::Severity::kWarning,
                        .message = MessageOf(problem),
                        .hint = problem.hint}};
  if (source_of_) item.source = source_of_(problem.path);
  if (item.source.empty()) item.problem.mark = Mark(problem);
  items_.push_back(std::move(item));
}

absl::Status ProblemReport::Errors() const {
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

// A list or map that begins on a later line than its key is shown at the key. What is not there
// is shown where it is missing. The whole has no place: its first line says nothing.
TextMark ProblemReport::Mark(const Problem& problem) const {
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

std::vector<std::string> ProblemReport::Render(bool warnings) const {
  std::vector<const Item*> chosen;
  for (const Item& item : items_) {
    if (item.problem.warning == warnings) chosen.push_back(&item);
  }
  std::stable_sort(chosen.begin(), chosen.end(), [](const Item* a, const Item* b) {
    if (a->source.empty() != b->source.empty()) return a->source.empty();
    const TextMark& x = a->problem.mark;
    const TextMark& y = b->problem.mark;
    return x.line != y.line ? x.line < y.line : x.column < y.column;
  });
  std::vector<std::string> out;
  for (const Item* item : chosen) {
    out.push_back(item->source.empty() ? RenderProblem(name_, document_.text(), item->problem)
                                       : RenderProblem(item->source, "", item->problem));
  }
  return out;
}

}  // namespace det
