#pragma once

#include <optional>
#include <string_view>

#include "common/config/yaml_tree.h"

namespace det {

// The first tab among the blanks at the beginning of a line, when nothing but blanks stands between
// the line's beginning and `at`.
std::optional<int32_t> FindIndentationTab(std::string_view text, int32_t at);
YamlMistake TabMistake(int32_t at);

// The parser takes a quoted string that nothing closes as ended by the text's end, if that is a
// line end. True when such a string begins at `at` (after its tag and anchor).
bool IsQuoteUnclosed(std::string_view text, int32_t at);
YamlMistake UnclosedQuoteMistake(int32_t at);

// The parser takes the last line for a key even without ":". True when the plain or quoted key at
// `at` has none, and no "? " before it.
bool LacksColon(std::string_view text, int32_t at, std::string_view key);
YamlMistake ColonMistake(int32_t at);

// A list or map that is still open where the parser stopped.
struct OpenCollection {
  int32_t at = 0;
  bool is_map = false;
  bool is_flow = false;  // written with brackets
};

// Where the YAML parser stopped, and what it said.
struct SyntaxError {
  std::string_view text;
  int32_t at = 0;
  std::string_view what;
};

// The same for people who don't know how a YAML parser works inside.
YamlMistake ExplainSyntax(const SyntaxError& error, const std::optional<OpenCollection>& innermost);

}  // namespace det
