#include <algorithm>
#include <set>

#include "common/base/nearest.h"
#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"

namespace det::spec {
namespace {

constexpr std::string_view kOpen = "${hp.";
constexpr size_t kNamesToldMax = 10;   // of those that do not exist
constexpr size_t kGuessBytesMax = 64;  // a longer name is no slip of the keyboard
constexpr size_t kNamesCompared = 1000;

bool Has(const HparamMap& map, std::string_view path);

bool Has(const Hparam& hparam, std::string_view path) {
  if (path.empty()) return true;
  if (const auto* map = std::get_if<HparamMap>(&hparam.kind)) return Has(*map, path);
  if (const auto* constant = std::get_if<ConstParam>(&hparam.kind))
    return constant->value.FindPath(path) != nullptr;
  const auto* categories = std::get_if<CategoricalParam>(&hparam.kind);
  return categories != nullptr &&
         std::any_of(categories->values.begin(), categories->values.end(), [&](const Value& v) {
           return v.FindPath(path) != nullptr;
         });
}

// Names may hold dots themselves, as for Value::FindPath.
bool Has(const HparamMap& map, std::string_view path) {
  for (size_t end = path.find('.');; end = path.find('.', end + 1)) {
    const auto found = map.find(std::string(path.substr(0, end)));
    const bool last = end == std::string_view::npos;
    if (found != map.end() && Has(found->second, last ? "" : path.substr(end + 1))) return true;
    if (last) return false;
  }
}

void AddPaths(const HparamMap& map, const std::string& prefix, std::vector<std::string>* paths) {
  for (const auto& [name, hparam] : map) {
    if (paths->size() >= kNamesCompared) return;
    const std::string path = prefix.empty() ? name : StrCat(prefix, ".", name);
    paths->push_back(path);
    if (const auto* inner = std::get_if<HparamMap>(&hparam.kind)) AddPaths(*inner, path, paths);
  }
}

// The names in "--lr ${hp.lr}"; what is not closed is plain text.
std::vector<std::string> NamesIn(std::string_view text) {
  std::vector<std::string> names;
  for (size_t open = text.find(kOpen); open != std::string_view::npos;) {
    const size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    names.emplace_back(text.substr(open + kOpen.size(), close - open - kOpen.size()));
    open = text.find(kOpen, close);
  }
  return names;
}

std::string Hint(const std::string& name, const HparamMap& hparams) {
  std::vector<std::string> paths;
  AddPaths(hparams, "", &paths);
  const std::string nearest = name.size() > kGuessBytesMax ? "" : Nearest(name, paths);
  if (!nearest.empty()) return StrCat("did you mean ${hp.", nearest, "}?");
  return paths.empty() ? "the configuration has no hyperparameters" : "";
}

}  // namespace

void CheckEntrypoint(const ExperimentSpec& spec, Problems* problems) {
  std::set<std::string> told;
  for (size_t i = 0; i < spec.entrypoint.size(); ++i) {
    for (const std::string& name : NamesIn(spec.entrypoint[i])) {
      if (told.size() >= kNamesToldMax) return;
      if ((!name.empty() && Has(spec.hparams, name)) || !told.insert(name).second) continue;
      problems->push_back(
          {.path = spec.entrypoint_is_shell ? "entrypoint" : StrCat("entrypoint[", i, "]"),
           .message = StrCat("names ${hp.",
                             CutUtf8(name, static_cast<size_t>(kHparamNameBytesMax)),
                             "}, and there is no such hyperparameter"),
           .hint = Hint(name, spec.hparams)});
    }
  }
}

}  // namespace det::spec
