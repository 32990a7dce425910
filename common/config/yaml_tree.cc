#include "common/config/yaml_tree.h"

#include <algorithm>
#include <istream>
#include <iterator>
#include <map>
#include <optional>
#include <streambuf>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "common/base/strings.h"
#include "common/config/render.h"
#include "common/config/yaml_scalar.h"
#include "common/config/yaml_syntax.h"

namespace det {
namespace {

using Kind = YamlNode::Kind;

// Reads the text where it lies.
class TextBuffer : public std::streambuf {
 public:
  explicit TextBuffer(std::string_view text) {
    char* begin =
        const_cast<char*>(text.data());  // a streambuf reads through char*, and only reads
    setg(begin, begin, begin + text.size());
  }
};

// Builds the tree from the parser's events. After a mistake that leaves nothing to go on from
// (dead), events are let pass by.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const YamlLimits& limits, std::vector<YamlMistake>* mistakes)
      : text_(text), limits_(limits), mistakes_(mistakes) {}

  int32_t At(const YAML::Mark& mark) const {
    return std::clamp(mark.pos, 0, static_cast<int32_t>(text_.size()));
  }
  YamlTree TakeTree() { return std::move(tree_); }
  bool dead() const { return dead_; }
  // Where the innermost open list or map begins, if one is open.
  std::optional<OpenCollection> innermost() const {
    if (frames_.empty()) return std::nullopt;
    const YamlNode& node = tree_[frames_.back().node];
    return OpenCollection{
        .at = node.at, .is_map = node.kind == Kind::kMap, .is_flow = frames_.back().flow};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    Die({.at = At(mark),
         .message = "text after the end of the document",
         .hint = "indent the lines of a map or list alike; one file holds one document"});
  }
  void OnDocumentEnd() override {
    if (last_scalar_at_ >= 0 && IsQuoteUnclosed(text_, last_scalar_at_)) {
      Note(UnclosedQuoteMistake(last_scalar_at_));
    }
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (dead_) return;
    const int32_t at = NullAt(At(mark));
    if (AtKey()) {
      BadKey(at, "null");
    } else if (IsHole(at)) {
      Note({.at = at, .message = "an item is missing before this comma"});
    } else if (KeyLacksColon()) {
      Note(ColonMistake(frames_.back().key_at));
    }
    if (Spend(at, 1, 0)) Complete(Add(Kind::kScalar, at), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (dead_) return;
    const int32_t at = At(mark);
    if (AtKey()) BadKey(at, "an alias");
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) {
      return Die({.at = at, .message = "this alias stands inside of what it refers to"});
    }
    const YamlNode& target = tree_[it->second];
    if (++aliases_ > limits_.aliases_max) {
      return Die({.at = at, .message = StrCat("more than ", limits_.aliases_max, " aliases")});
    }
    if (Depth() + target.height > limits_.depth_max) return DieOfDepth(at);
    if (Spend(at, target.nodes, target.bytes)) Attach(it->second, at);
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& text) override {
    if (dead_) return;
    const int32_t at = At(mark);
    last_scalar_at_ = at;
    CheckIndentation(at);
    if (text.size() > limits_.scalar_bytes_max) {
      return Die({.at = at,
                  .message = StrCat("a string of ",
                                    text.size(),
                                    " bytes, at most ",
                                    limits_.scalar_bytes_max,
                                    " are allowed")});
    }
    if (!Spend(at, 1, static_cast<int64_t>(text.size()))) return;
    const size_t node = Add(Kind::kScalar, at);
    tree_[node].bytes = static_cast<int64_t>(text.size());
    if (AtKey()) return TakeKey(node, tag, anchor, text);
    tree_[node].scalar = Resolve(at, tag, text);
    Complete(node, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    if (dead_) return;
    if (AtKey()) BadKey(At(mark), "a list");
    CheckTag(At(mark), tag, "seq");
    Open(Kind::kList, At(mark), anchor, style);
  }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    if (dead_) return;
    if (AtKey()) BadKey(At(mark), "a map");
    CheckTag(At(mark), tag, "map");
    Open(Kind::kMap, At(mark), anchor, style);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map that is not complete yet.
  struct Frame {
    size_t node = 0;
    YAML::anchor_t anchor = YAML::NullAnchor;
    bool flow = false;     // within brackets, its own or others'
    bool has_key = false;  // of a map: the next node is the value of this key
    bool key_is_bad = false;
    bool key_is_merge = false;
    std::string key;
    int32_t key_at = -1;
    bool has_merge = false;
    std::vector<YamlNode::Child> merged;
  };

  int Depth() const { return static_cast<int>(frames_.size()); }
  bool AtKey() const {
    return !frames_.empty() && !frames_.back().has_key && IsMap(frames_.back().node);
  }
  bool IsMap(size_t node) const { return tree_[node].kind == Kind::kMap; }

  void Note(YamlMistake mistake) {
    if (mistakes_->size() < kYamlMistakesMax) mistakes_->push_back(std::move(mistake));
  }
  void Die(YamlMistake mistake) {
    if (!dead_) mistakes_->push_back(std::move(mistake));
    dead_ = true;
  }
  void DieOfDepth(int32_t at) {
    Die({.at = at, .message = StrCat("nested deeper than ", limits_.depth_max, " levels")});
  }

  bool Spend(int32_t at, int64_t nodes, int64_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > limits_.nodes_max) {
      Die({.at = at,
           .message =
               StrCat("more than ", limits_.nodes_max, " keys and values, aliases expanded")});
    } else if (bytes_ > limits_.expanded_bytes_max) {
      Die({.at = at,
           .message = StrCat(
               "more than ", limits_.expanded_bytes_max, " bytes of strings, aliases expanded")});
    }
    return !dead_;
  }

  size_t Add(Kind kind, int32_t at) {
    tree_.push_back({.kind = kind, .at = at});
    return tree_.size() - 1;
  }

  // A value that is not there gets the mark of what comes next. Its key's place says more.
  int32_t NullAt(int32_t at) const {
    const std::string_view rest = text_.substr(static_cast<size_t>(at));
    const bool written = rest.starts_with('~') || rest.starts_with('&') || rest.starts_with('!') ||
                         IsYamlNull(rest.substr(0, 4));
    const bool in_map = !frames_.empty() && frames_.back().has_key;
    return written || !in_map ? at : frames_.back().key_at;
  }
  // [a, , b]
  bool IsHole(int32_t at) const {
    return !frames_.empty() && !IsMap(frames_.back().node) &&
           text_.substr(static_cast<size_t>(at)).starts_with(',');
  }

  bool KeyLacksColon() const {
    if (frames_.empty() || frames_.back().flow || !frames_.back().has_key) return false;
    return LacksColon(text_, frames_.back().key_at, frames_.back().key);
  }

  void BadKey(int32_t at, std::string_view what) {
    Note({.at = at,
          .message = StrCat("a key must be a string, not ", what),
          .hint = "put it in quotes if it is meant as text"});
    frames_.back().key_is_bad = true;
    frames_.back().key_at = at;
  }

  void CheckTag(int32_t at, const std::string& tag, std::string_view type) {
    const bool core = tag == StrCat("tag:yaml.org,2002:", type);
    if (!core && !tag.empty() && tag != "?" && tag != "!") NoteTag(at, tag);
  }
  void NoteTag(int32_t at, const std::string& tag) {
    Note({.at = at,
          .message = StrCat("the tag ", ShortTag(tag), " is not allowed here"),
          .hint = "only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are known"});
  }

  // The parser takes some tabs at the beginning of a line for spaces, but nobody can say of how
  // many.
  void CheckIndentation(int32_t at) {
    if (!frames_.empty() && frames_.back().flow) return;
    if (const auto tab = FindIndentationTab(text_, at)) Note(TabMistake(*tab));
  }

  Value Resolve(int32_t at, const std::string& tag, const std::string& text) {
    absl::StatusOr<Value> value = ResolveScalar(tag, text);
    if (value.ok()) return *std::move(value);
    if (value.status().code() == absl::StatusCode::kUnimplemented) {
      NoteTag(at, tag);
    } else {
      Note({.at = at, .message = StrCat(Printable(text, 80), " ", value.status().message())});
    }
    return {};
  }

  void TakeKey(size_t node,
               const std::string& tag,
               YAML::anchor_t anchor,
               const std::string& text) {
    Frame& frame = frames_.back();
    tree_[node].scalar = text;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    frame.has_key = true;
    frame.key_is_merge = tag == "?" && text == "<<";
    frame.key = text;
    frame.key_at = tree_[node].at;
    if (tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:str") NoteTag(frame.key_at, tag);
  }

  void Open(Kind kind, int32_t at, YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
    CheckIndentation(at);
    if (Depth() >= limits_.depth_max) return DieOfDepth(at);
    if (!Spend(at, 1, 0)) return;
    const bool outer_flow = !frames_.empty() && frames_.back().flow;
    Frame frame;
    frame.node = Add(kind, at);
    frame.anchor = anchor;
    frame.flow = outer_flow || style == YAML::EmitterStyle::Flow;
    frames_.push_back(std::move(frame));
  }

  void Close() {
    if (dead_) return;
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (IsMap(frame.node)) FinishMap(frame);
    YamlNode& node = tree_[frame.node];
    for (const YamlNode::Child& child : node.children) {
      const YamlNode& below = tree_[child.node];
      node.nodes += below.nodes;
      node.bytes += below.bytes + static_cast<int64_t>(child.key.size());
      node.height = std::max(node.height, below.height);
    }
    ++node.height;
    Complete(frame.node, frame.anchor);
  }

  // Sorts the children, notes duplicates, adds what merge keys bring.
  void FinishMap(Frame& frame) {
    std::vector<YamlNode::Child>& own = tree_[frame.node].children;
    const auto less = [](const YamlNode::Child& a, const YamlNode::Child& b) {
      return a.key < b.key;
    };
    const auto equal = [](const YamlNode::Child& a, const YamlNode::Child& b) {
      return a.key == b.key;
    };
    std::stable_sort(own.begin(), own.end(), less);
    for (size_t i = 1; i < own.size(); ++i) {
      if (equal(own[i - 1], own[i])) NoteDuplicate(own[i], own[i - 1].key_at);
    }
    if (frame.merged.empty()) return;
    std::stable_sort(frame.merged.begin(), frame.merged.end(), less);
    const auto end = std::unique(frame.merged.begin(), frame.merged.end(), equal);
    std::vector<YamlNode::Child> all;
    std::set_union(
        own.begin(), own.end(), frame.merged.begin(), end, std::back_inserter(all), less);
    own = std::move(all);
  }

  void NoteDuplicate(const YamlNode::Child& child, int32_t first_at) {
    if (mistakes_->size() >= kYamlMistakesMax) return;
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(first_at), '\n');
    Note({.at = child.key_at,
          .message = StrCat("duplicate key \"", Printable(child.key, 80), "\""),
          .hint = StrCat("it stands on line ", line, " already")});
  }

  void Complete(size_t node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    Attach(node, tree_[node].at);
  }

  // Puts a complete node where the parser is: into the innermost list or map, at the key before it.
  void Attach(size_t node, int32_t at) {
    if (frames_.empty()) return;
    Frame& frame = frames_.back();
    std::vector<YamlNode::Child>& children = tree_[frame.node].children;
    if (!IsMap(frame.node)) {
      children.push_back({.node = node});
    } else if (!frame.has_key) {
      frame.has_key = true;  // this was the key itself, a bad one
    } else {
      if (frame.key_is_merge) {
        Merge(frame, node, at);
      } else if (!frame.key_is_bad) {
        children.push_back({.key = std::move(frame.key), .key_at = frame.key_at, .node = node});
      }
      frame.has_key = frame.key_is_bad = frame.key_is_merge = false;
    }
  }

  // <<: *base, <<: {a: 1}, <<: [*one, *two]
  void Merge(Frame& frame, size_t source, int32_t at) {
    if (frame.has_merge) {
      Note({.at = frame.key_at,
            .message = "duplicate key \"<<\"",
            .hint = "merge several maps with a list: <<: [*one, *two]"});
    }
    frame.has_merge = true;
    std::vector<size_t> maps = {source};
    if (tree_[source].kind == Kind::kList) {
      maps.clear();
      for (const YamlNode::Child& child : tree_[source].children) maps.push_back(child.node);
    }
    for (const size_t map : maps) {
      if (!IsMap(map)) {
        return Note({.at = at,
                     .message = "\"<<\" merges a map or a list of maps only",
                     .hint = "put \"<<\" in quotes if it is meant as a key"});
      }
      const auto& children = tree_[map].children;
      frame.merged.insert(frame.merged.end(), children.begin(), children.end());
    }
  }

  const std::string_view text_;
  const YamlLimits limits_;
  std::vector<YamlMistake>* mistakes_;
  YamlTree tree_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, size_t> anchors_;  // of complete nodes
  int documents_ = 0;
  bool dead_ = false;
  int64_t nodes_ = 0;
  int64_t bytes_ = 0;
  int64_t aliases_ = 0;
  int32_t last_scalar_at_ = -1;
};

void Parse(std::string_view text, TreeBuilder& builder) {
  TextBuffer buffer(text);
  std::istream stream(&buffer);
  YAML::Parser parser(stream);
  // The second one shows what stands after the first.
  if (parser.HandleNextDocument(builder) && !builder.dead()) parser.HandleNextDocument(builder);
}

}  // namespace

YamlTree BuildYamlTree(std::string_view text,
                       const YamlLimits& limits,
                       std::vector<YamlMistake>* mistakes) {
  TreeBuilder builder(text, limits, mistakes);
  try {
    Parse(text, builder);
  } catch (const YAML::Exception& error) {
    if (builder.dead()) return {};
    YamlMistake mistake = ExplainSyntax(
        {.text = text, .at = builder.At(error.mark), .what = error.msg}, builder.innermost());
    // The parser takes a bracket that nothing closes for a key first.
    std::erase_if(*mistakes, [&](const YamlMistake& other) { return other.at == mistake.at; });
    mistakes->push_back(std::move(mistake));
  } catch (const std::exception& error) {
    mistakes->push_back({.message = StrCat("the YAML parser failed: ", error.what())});
  }
  return builder.TakeTree();
}

Value ExpandYaml(const YamlTree& tree, size_t node) {
  const YamlNode& from = tree[node];
  switch (from.kind) {
    case Kind::kScalar:
      return from.scalar;
    case Kind::kList: {
      Value::Array list;
      list.reserve(from.children.size());
      for (const YamlNode::Child& child : from.children) {
        list.push_back(ExpandYaml(tree, child.node));
      }
      return list;
    }
    case Kind::kMap: {
      Value::Object map;
      for (const YamlNode::Child& child : from.children) {
        map.emplace_hint(map.end(), child.key, ExpandYaml(tree, child.node));
      }
      return map;
    }
  }
  return {};
}

}  // namespace det
