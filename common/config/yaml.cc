#include "common/config/yaml.h"

#include <algorithm>
#include <charconv>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"
#include "common/config/yaml_text.h"

namespace det {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::vector<int32_t> LineStarts(std::string_view text) {
  std::vector<int32_t> starts = {0};
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    starts.push_back(static_cast<int32_t>(at) + 1);
  }
  return starts;
}

// An edge of the tree: a child with its key, or the whole.
struct Found {
  int32_t key_at = -1;
  size_t node = 0;
};

// Orders children by a part of their keys.
struct ByPart {
  size_t begin = 0;
  size_t size = 0;
  std::string_view Part(const YamlNode::Child& child) const {
    return std::string_view(child.key).substr(begin, size);
  }
  bool operator()(const YamlNode::Child& a, std::string_view b) const { return Part(a) < b; }
  bool operator()(std::string_view a, const YamlNode::Child& b) const { return a < Part(b); }
};

// Follows a path. Keys may hold dots and brackets, so there can be several ways to read it; a text
// that makes very many is answered with nothing.
class PathFinder {
 public:
  explicit PathFinder(const YamlTree& tree) : tree_(tree) {}

  std::optional<Found> Find(const Found& from, std::string_view path) {
    if (path.empty()) return from;
    const YamlNode& node = tree_[from.node];
    if (node.kind == YamlNode::Kind::kScalar || --steps_left_ < 0) return std::nullopt;
    return node.kind == YamlNode::Kind::kMap ? FindKey(node, path) : FindItem(node, path);
  }

 private:
  // "[2]" and what follows it.
  std::optional<Found> FindItem(const YamlNode& list, std::string_view path) {
    size_t index = 0;
    const size_t close = path.find(']');
    if (!path.starts_with('[') || close == std::string_view::npos) return std::nullopt;
    const auto [end, error] = std::from_chars(path.data() + 1, path.data() + close, index);
    if (error != std::errc() || end != path.data() + close || index >= list.children.size()) {
      return std::nullopt;
    }
    path.remove_prefix(close + 1);
    if (!path.empty() && path[0] != '.' && path[0] != '[') return std::nullopt;
    if (path.starts_with('.')) path.remove_prefix(1);
    return Find({.node = list.children[index].node}, path);
  }

  // Each dot and bracket may be where the key ends, or not. The children whose keys begin with the
  // path so far get fewer on the way.
  std::optional<Found> FindKey(const YamlNode& map, std::string_view path) {
    auto children = std::make_pair(map.children.begin(), map.children.end());
    for (size_t begin = 0, from = 0;;) {
      const size_t end = std::min(path.find_first_of(".[", from), path.size());
      const std::string_view part = path.substr(begin, end - begin);
      children = std::equal_range(
          children.first, children.second, part, ByPart{.begin = begin, .size = part.size()});
      if (children.first == children.second) return std::nullopt;
      const YamlNode::Child& shortest = *children.first;
      if (shortest.key.size() == end) {
        const std::string_view rest = path.substr(end);
        const Found next{.key_at = shortest.key_at, .node = shortest.node};
        if (auto found = Find(next, rest.substr(rest.starts_with('.') ? 1 : 0))) return found;
      }
      if (end == path.size()) return std::nullopt;
      begin = end;
      from = end + 1;
    }
  }

  const YamlTree& tree_;
  int steps_left_ = 1000;
};

// Offsets in a text with joined surrogates become those of the text as it was given.
class Uncut {
 public:
  explicit Uncut(std::vector<int32_t> cuts) : cuts_(std::move(cuts)) {}
  int32_t operator()(int32_t at) const {
    if (at < 0) return at;
    const auto before = std::upper_bound(cuts_.begin(), cuts_.end(), at) - cuts_.begin();
    return at + 2 * static_cast<int32_t>(before);
  }

 private:
  std::vector<int32_t> cuts_;
};

YamlTree BuildUncut(std::string_view text,
                    const YamlLimits& limits,
                    std::vector<YamlMistake>* mistakes) {
  std::vector<int32_t> cuts;
  const bool escapes = text.find("\\ud") != text.npos || text.find("\\uD") != text.npos;
  const std::string joined = escapes ? JoinSurrogates(text, &cuts) : std::string();
  if (cuts.empty()) return BuildYamlTree(text, limits, mistakes);
  YamlTree tree = BuildYamlTree(joined, limits, mistakes);
  const Uncut uncut(std::move(cuts));
  for (YamlNode& node : tree) {
    node.at = uncut(node.at);
    for (YamlNode::Child& child : node.children) child.key_at = uncut(child.key_at);
  }
  for (YamlMistake& mistake : *mistakes) mistake.at = uncut(mistake.at);
  return tree;
}

// By place; several of one place come from one cause, and the first says it.
void SortMistakes(std::vector<YamlMistake>* mistakes) {
  const auto less = [](const YamlMistake& a, const YamlMistake& b) { return a.at < b.at; };
  const auto same = [](const YamlMistake& a, const YamlMistake& b) { return a.at == b.at; };
  std::stable_sort(mistakes->begin(), mistakes->end(), less);
  mistakes->erase(std::unique(mistakes->begin(), mistakes->end(), same), mistakes->end());
}

}  // namespace

TextMark YamlDocument::MarkAt(int32_t offset) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  TextMark mark{.line = static_cast<int>(next - line_starts_.begin()), .column = 1};
  const auto end = static_cast<size_t>(offset);
  for (size_t at = static_cast<size_t>(*(next - 1)); at < end; ++mark.column) {
    at += DecodeUtf8(std::string_view(text_).substr(at)).bytes;
  }
  return mark;
}

std::optional<TextMark> YamlDocument::ValueMark(std::string_view path) const {
  if (tree_.empty()) return std::nullopt;
  const std::optional<Found> found = PathFinder(tree_).Find({}, path);
  if (!found.has_value()) return std::nullopt;
  return MarkAt(tree_[found->node].at);
}

std::optional<size_t> YamlDocument::Offset(std::string_view path) const {
  if (tree_.empty()) return std::nullopt;
  const std::optional<Found> found = PathFinder(tree_).Find({}, path);
  if (!found.has_value()) return std::nullopt;
  return static_cast<size_t>(tree_[found->node].at);
}

void YamlDocument::Hide(std::string_view path) {
  const std::optional<Found> found =
      tree_.empty() ? std::nullopt : PathFinder(tree_).Find({}, path);
  if (!found.has_value()) return;
  std::vector<size_t> hidden = {found->node};
  for (size_t i = 0; i < hidden.size(); ++i) {
    for (const YamlNode::Child& child : tree_[hidden[i]].children) hidden.push_back(child.node);
  }
  std::vector<int32_t> begins;
  for (const YamlNode& node : tree_) {
    begins.push_back(node.at);
    for (const YamlNode::Child& child : node.children) begins.push_back(child.key_at);
  }
  std::sort(begins.begin(), begins.end());
  for (const size_t node : hidden) {
    const int32_t at = tree_[node].at;
    const auto next = std::upper_bound(begins.begin(), begins.end(), at);
    const size_t end = next == begins.end() ? text_.size() : static_cast<size_t>(*next);
    for (size_t i = static_cast<size_t>(at); i < end; ++i) {
      if (text_[i] != '\n') text_[i] = '*';
    }
  }
}

std::optional<TextMark> YamlDocument::KeyMark(std::string_view path) const {
  if (tree_.empty()) return std::nullopt;
  const std::optional<Found> found = PathFinder(tree_).Find({}, path);
  if (!found.has_value() || found->key_at < 0) return std::nullopt;
  return MarkAt(found->key_at);
}

std::vector<TextProblem> ReadYaml(std::string_view text,
                                  const YamlLimits& limits,
                                  YamlDocument* document) {
  *document = YamlDocument();
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<YamlMistake> mistakes;
  if (std::optional<YamlMistake> mistake = CheckYamlText(text, limits)) {
    mistakes.push_back(*std::move(mistake));
    text = text.substr(0, limits.bytes_max);
  }
  document->text_ = std::string(text);
  document->line_starts_ = LineStarts(text);
  if (mistakes.empty()) document->tree_ = BuildUncut(document->text_, limits, &mistakes);
  if (mistakes.empty() && !document->tree_.empty()) {
    document->value_ = ExpandYaml(document->tree_, 0);
  }
  SortMistakes(&mistakes);
  std::vector<TextProblem> problems;
  for (YamlMistake& mistake : mistakes) {
    problems.push_back({.mark = mistake.at < 0 ? TextMark() : document->MarkAt(mistake.at),
                        .message = std::move(mistake.message),
                        .hint = std::move(mistake.hint)});
  }
  return problems;
}

absl::StatusOr<YamlDocument> ParseYaml(std::string_view text,
                                       std::string_view name,
                                       const YamlLimits& limits) {
  YamlDocument document;
  const std::vector<TextProblem> problems = ReadYaml(text, limits, &document);
  if (problems.empty()) return document;
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_YAML",
               StrJoin(problems, "\n", [&](const TextProblem& problem) {
                 return RenderProblem(name, document.text(), problem);
               }));
}

}  // namespace det
