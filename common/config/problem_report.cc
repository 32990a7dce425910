#include "common/config/problem_report.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det {
namespace {

constexpr size_t kErrorsMax = 20;
constexpr int kLevelsMax = 32;           // looked at for the place of a problem
constexpr size_t kErrorBytesMax = 6000;  // what gRPC takes in a status is little

// A message about a key names it already, and one about the whole needs no name.
std::string MessageOf(const Problem& problem, const std::string& path) {
  if (problem.at_key || path.empty()) return problem.message;
  return StrCat(Printable(path, 120), ": ", problem.message);
}

// A list or map that begins on a later line than its key is shown at the key. What is not there
// is shown where it is missing. The whole has no place: its first line says nothing.
TextMark MarkOf(const YamlDocument& document, std::string_view path, bool at_key) {
  for (int i = 0; i < kLevelsMax && !path.empty(); ++i) {
    const auto key = document.KeyMark(path);
    const auto value = document.ValueMark(path);
    if (key.has_value() && (at_key || value->line != key->line)) return *key;
    if (value.has_value()) return *value;
    path = path.substr(0, std::min(path.size(), path.find_last_of(".[") + 1));
    if (!path.empty()) path.remove_suffix(1);
  }
  const bool whole = document.value().is_object() || document.value().is_null();
  return whole ? TextMark() : document.ValueMark("").value_or(TextMark());
}

}  // namespace

void ProblemReport::Add(const Problem& problem) {
  const Place place = locate_ ? locate_(problem.path) : Place{name_, &document_, problem.path};
  TextProblem text{.warning = problem.severity == Problem::Severity::kWarning,
                   .message = MessageOf(problem, place.path),
                   .hint = problem.hint};
  if (place.document != nullptr) text.mark = MarkOf(*place.document, place.path, problem.at_key);
  Add(place.name, place.document, std::move(text));
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

std::vector<std::string> ProblemReport::Render(bool warnings) const {
  std::vector<const Item*> chosen;
  for (const Item& item : items_) {
    if (item.problem.warning == warnings) chosen.push_back(&item);
  }
  const auto order = [&](const Item& item) {
    const int rank = item.document == &document_ ? 0 : item.document != nullptr ? 1 : 2;
    const TextMark mark = item.document == nullptr ? TextMark() : item.problem.mark;
    return std::make_tuple(rank, rank == 1 ? item.name : "", mark.line, mark.column);
  };
  std::stable_sort(chosen.begin(), chosen.end(), [&](const Item* a, const Item* b) {
    return order(*a) < order(*b);
  });
  std::vector<std::string> out;
  std::set<std::string> told;
  for (const Item* item : chosen) {
    std::string_view text;
    if (item->document != nullptr) text = item->document->text();
    std::string rendered = RenderProblem(item->name, text, item->problem);
    if (told.insert(rendered).second) out.push_back(std::move(rendered));
  }
  return out;
}

}  // namespace det
