#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "common/base/value.h"
#include "common/config/render.h"
#include "common/config/yaml_tree.h"

namespace det {

// One YAML document: its value, and where in the text each part of it stands.
class YamlDocument {
 public:
  const Value& value() const { return value_; }
  // The text that was read, without a byte order mark.
  const std::string& text() const { return text_; }
  // Values in the document, aliases counted as often as they are used.
  int64_t nodes() const { return tree_.empty() ? 0 : tree_[0].nodes; }

  // Where the value at a path begins, and where its key begins. Paths are those of configuration
  // problems: "searcher.max_trials", "entrypoint[2]", "" for the whole. Keys may hold dots and
  // brackets themselves. What an alias or a merge key brought stands where it was written. Nothing
  // when there is no such path; the whole and items of lists have no key.
  std::optional<TextMark> ValueMark(std::string_view path) const;
  std::optional<TextMark> KeyMark(std::string_view path) const;
  // Where in text() the value at a path begins, in bytes.
  std::optional<size_t> Offset(std::string_view path) const;

  // Writes asterisks over the value at a path, in text() alone: for a secret that an excerpt must
  // not show. All from its beginning to the next key or value goes, but line ends.
  void Hide(std::string_view path);
  // Has excerpts made from another text, of as many bytes.
  void ShowAs(std::string text) { text_ = std::move(text); }

 private:
  friend std::vector<TextProblem> ReadYaml(std::string_view text,
                                           const YamlLimits& limits,
                                           YamlDocument* document);

  TextMark MarkAt(int32_t offset) const;

  std::string text_;
  std::vector<int32_t> line_starts_;
  YamlTree tree_;  // node 0 is the whole
  Value value_;
};

// Reads one YAML document, or JSON, which is YAML. Plain scalars follow the YAML 1.2 core schema:
// null, booleans, integers (0x and 0o too), numbers (.inf and .nan too); all else is a string,
// "yes" and "on" as well. An integer outside int64 becomes a double. Merge keys (<<) are carried
// out: a map's own keys win, then the first map that has the key. No document at all is null.
//
// Refused: what is not YAML; duplicate keys; keys that are no strings or numbers; tags other than
// !!str, !!int, !!float, !!bool, !!null, !!map, !!seq; a second document; tabs as indentation;
// invalid UTF-8 and control characters; numbers beyond a double; and whatever passes the limits.
//
// Never throws. Work and memory are bounded by the limits: with the default ones less than 100 ms
// and 50 MiB at worst. Any thread.
//
// Gives the problems found, each an error with its place, in the order of the text; none when
// *document is complete.
std::vector<TextProblem> ReadYaml(std::string_view text,
                                  const YamlLimits& limits,
                                  YamlDocument* document);

// The same with the problems rendered, one after the other, into an INVALID_ARGUMENT status with
// the reason INVALID_YAML. `name` is what the text is called in them: a file's name.
absl::StatusOr<YamlDocument> ParseYaml(std::string_view text,
                                       std::string_view name,
                                       const YamlLimits& limits = {});

}  // namespace det
