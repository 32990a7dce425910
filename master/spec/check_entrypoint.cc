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
    const std::string_view name = path.substr(0, end);
    if (static_cast<int64_t>(name.size()) > kHparamNameBytesMax) return false;
    const auto found = map.find(std::string(name));
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

struct Quoted {
  std::string name;
  char quote = '"';
  size_t at = 0;  // bytes before it
};

// Follows a shell command as far as quotes go, to find the templates inside them.
class QuoteReader {
 public:
  explicit QuoteReader(std::string_view text) : text_(text) {}

  std::vector<Quoted> Run() {
    while (at_ < text_.size() && found_.size() < kNamesToldMax) {
      if (!TakeTemplate() && !TakeOther()) break;
    }
    return std::move(found_);
  }

 private:
  char Top() const { return open_.empty() ? ' ' : open_.back(); }
  bool Quotes() const { return Top() == '\'' || Top() == '"'; }

  bool TakeTemplate() {
    if (!text_.substr(at_).starts_with(kOpen)) return false;
    const size_t close = text_.find('}', at_);
    if (close == std::string_view::npos) return false;
    const size_t name = at_ + kOpen.size();
    if (Quotes()) {
      found_.push_back({std::string(text_.substr(name, close - name)), Top(), at_});
    }
    at_ = close + 1;
    return true;
  }

  // False where a here-document may begin: what quotes mean there is another matter.
  bool TakeOther() {
    const char c = text_[at_];
    const std::string_view rest = text_.substr(at_++);
    if (Top() == '\'') {
      if (c == '\'') open_.pop_back();
    } else if (c == '\\') {
      ++at_;
    } else if (rest.starts_with("$(")) {
      open_.push_back('(');
      ++at_;
    } else if (c == '"' || c == '`') {
      Toggle(c);
    } else if (Top() != '"') {
      return TakeBare(rest);
    }
    return true;
  }

  bool TakeBare(std::string_view rest) {
    const bool begins_word =
        at_ < 2 || std::string_view(" \t\n;&|(").find(text_[at_ - 2]) != std::string_view::npos;
    if (rest[0] == '\'' || rest[0] == '(') {
      open_.push_back(rest[0]);
    } else if (rest[0] == ')' && Top() == '(') {
      open_.pop_back();
    } else if (rest[0] == '#' && begins_word) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    }
    return !rest.starts_with("<<");
  }

  void Toggle(char quote) {
    if (Top() == quote) {
      open_.pop_back();
    } else {
      open_.push_back(quote);
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string open_;  // what is open, the innermost last: ' " ` (
  std::vector<Quoted> found_;
};

// The agent puts each value in quotes of its own: others around it would come between, and the
// program would see them.
void CheckQuotes(const std::string& command, Problems* problems) {
  for (const Quoted& quoted : QuoteReader(command).Run()) {
    problems->push_back(
        {.path = "entrypoint",
         .message = StrCat("has ${hp.",
                           CutUtf8(quoted.name, static_cast<size_t>(kHparamNameBytesMax)),
                           "} inside ",
                           quoted.quote == '"' ? "double" : "single",
                           " quotes, ",
                           quoted.at,
                           " bytes from its beginning"),
         .hint = "leave out the quotes: values are quoted for the shell"});
  }
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
  if (spec.entrypoint_is_shell && !spec.entrypoint.empty())
    CheckQuotes(spec.entrypoint[0], problems);
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
