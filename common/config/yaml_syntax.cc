#include "common/config/yaml_syntax.h"

#include <algorithm>

#include <yaml-cpp/exceptions.h>

#include "common/base/strings.h"

namespace det {
namespace {

struct Explanation {
  const char* theirs;  // what the parser's message begins with
  const char* message;
  const char* hint;
};

constexpr char kNoKey[] = "this is neither a key with \":\" nor the end of the map";
constexpr char kNoKeyHint[] = "indent the keys of a map alike; nothing may follow a closing quote";
constexpr char kUnclosed[] = "the text ends within quotes";
constexpr char kAlign[] = "indent the lines of a map or list alike";

const Explanation kExplanations[] = {
    {YAML::ErrorMsg::MAP_VALUE,
     "a \":\" is not expected here",
     "indent the lines of a map alike; put a value that holds \": \" in quotes"},
    {YAML::ErrorMsg::MAP_KEY, "a \"?\" is not expected here", kAlign},
    {YAML::ErrorMsg::BLOCK_ENTRY,
     "a \"- \" is not expected here",
     "begin a list on the line after its key"},
    {YAML::ErrorMsg::END_OF_MAP, kNoKey, kNoKeyHint},
    {YAML::ErrorMsg::END_OF_SEQ,
     "this is neither an item with \"- \" nor the end of the list",
     "indent the items of a list alike"},
    {YAML::ErrorMsg::FLOW_END, "no bracket is open that this one could close", ""},
    {YAML::ErrorMsg::EOF_IN_SCALAR, kUnclosed, "add the closing quote"},
    {YAML::ErrorMsg::DOC_IN_SCALAR, "the document ends within quotes", "add the closing quote"},
    {YAML::ErrorMsg::UNKNOWN_TOKEN,
     "no value begins with this character",
     "put the value in quotes"},
    {YAML::ErrorMsg::UNKNOWN_ANCHOR,
     "this alias has no anchor before it",
     "put text that begins with \"*\" in quotes"},
    {YAML::ErrorMsg::ALIAS_NOT_FOUND,
     "a name is expected after \"*\"",
     "put text that begins with \"*\" in quotes"},
    {YAML::ErrorMsg::ANCHOR_NOT_FOUND,
     "a name is expected after \"&\"",
     "put text that begins with \"&\" in quotes"},
    {YAML::ErrorMsg::CHAR_IN_ALIAS,
     "this character is not allowed in the name of an alias",
     "put text that begins with \"*\" in quotes"},
    {YAML::ErrorMsg::CHAR_IN_ANCHOR,
     "this character is not allowed in the name of an anchor",
     "put text that begins with \"&\" in quotes"},
    {YAML::ErrorMsg::INVALID_ESCAPE,
     "an unknown escape in double quotes",
     "write \\\\ for a backslash, or use single quotes"},
    {YAML::ErrorMsg::INVALID_HEX, "an escape with something that is no hexadecimal digit", ""},
    {YAML::ErrorMsg::INVALID_UNICODE,
     "an escape for something that is no character",
     "write the character itself, or \\U with eight digits"},
    {YAML::ErrorMsg::CHAR_IN_BLOCK,
     "only \"-\", \"+\" and one digit may follow \"|\" or \">\" on the line",
     "begin the text on the next line"},
};

std::optional<YamlMistake> Unclosed(const SyntaxError& error,
                                    const std::optional<OpenCollection>& innermost) {
  const bool map = error.what == YAML::ErrorMsg::END_OF_MAP_FLOW;
  if (!map && error.what != YAML::ErrorMsg::END_OF_SEQ_FLOW) return std::nullopt;
  const bool known = innermost.has_value() && innermost->is_flow && innermost->is_map == map;
  return YamlMistake{
      .at = known ? innermost->at : error.at,
      .message = map ? "this map is not closed" : "this list is not closed",
      .hint = map ? "add \",\" between its keys and \"}\" at its end; put other text in quotes"
                  : "add \",\" between its items and \"]\" at its end; put other text in quotes"};
}

// The parser notices a bad escape behind it.
int32_t BeginOfEscape(const SyntaxError& error) {
  const size_t backslash = error.text.substr(0, static_cast<size_t>(error.at)).rfind('\\');
  const bool escape = error.what.starts_with(YAML::ErrorMsg::INVALID_ESCAPE) ||
                      error.what.starts_with(YAML::ErrorMsg::INVALID_HEX) ||
                      error.what.starts_with(YAML::ErrorMsg::INVALID_UNICODE);
  return escape && backslash != std::string_view::npos ? static_cast<int32_t>(backslash) : error.at;
}

// Skips tags and anchors before a scalar.
size_t SkipProperties(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    at = std::min(text.find_first_of(" \t\r\n", at), text.size());
    at = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
  }
  return at;
}

// Where the quoted string that begins at `at` ends: after its closing quote, if there is one.
std::optional<size_t> EndOfQuoted(std::string_view text, size_t at) {
  const char quote = text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return i + 1;
      ++i;  // '' within single quotes
    }
  }
  return std::nullopt;
}

bool IsQuote(std::string_view text, size_t at) {
  return at < text.size() && (text[at] == '"' || text[at] == '\'');
}

}  // namespace

bool IsQuoteUnclosed(std::string_view text, int32_t at) {
  const size_t begin = SkipProperties(text, static_cast<size_t>(at));
  return IsQuote(text, begin) && !EndOfQuoted(text, begin).has_value();
}

bool LacksColon(std::string_view text, int32_t at, std::string_view key) {
  const size_t before = text.substr(0, static_cast<size_t>(at)).find_last_not_of(" \t\r\n");
  if (before != std::string_view::npos && text[before] == '?') return false;
  const size_t begin = SkipProperties(text, static_cast<size_t>(at));
  size_t end = begin + key.size();
  if (IsQuote(text, begin)) {
    end = EndOfQuoted(text, begin).value_or(text.size());
  } else if (text.substr(begin, key.size()) != key) {
    return false;
  }
  const size_t next = text.find_first_not_of(" \t", end);
  return next == std::string_view::npos || text[next] != ':';
}

YamlMistake ColonMistake(int32_t at) {
  return {.at = at, .message = kNoKey, .hint = kNoKeyHint};
}

YamlMistake UnclosedQuoteMistake(int32_t at) {
  return {.at = at, .message = kUnclosed, .hint = "add the closing quote"};
}

std::optional<int32_t> FindIndentationTab(std::string_view text, int32_t at) {
  std::optional<int32_t> tab;
  for (int32_t i = at - 1; i >= 0 && text[static_cast<size_t>(i)] != '\n'; --i) {
    const char c = text[static_cast<size_t>(i)];
    if (c != ' ' && c != '\t') return std::nullopt;
    if (c == '\t') tab = i;
  }
  return tab;
}

YamlMistake TabMistake(int32_t at) {
  return {.at = at, .message = "a tab can't indent", .hint = "use spaces"};
}

YamlMistake ExplainSyntax(const SyntaxError& error,
                          const std::optional<OpenCollection>& innermost) {
  // Whatever the parser made of it, a tab that indents its line is the likely cause.
  const size_t at = static_cast<size_t>(error.at);
  const size_t line_end = error.text.substr(0, at).rfind('\n');
  const size_t line = line_end == std::string_view::npos ? 0 : line_end + 1;
  const size_t first = error.text.find_first_not_of(" \t", line);
  const bool flow = innermost.has_value() && innermost->is_flow;
  if (const auto tab = FindIndentationTab(
          error.text,
          static_cast<int32_t>(first == std::string_view::npos ? error.text.size() : first));
      tab.has_value() && !flow) {
    return TabMistake(*tab);
  }
  if (auto unclosed = Unclosed(error, innermost)) return *std::move(unclosed);
  for (const Explanation& explanation : kExplanations) {
    if (error.what.starts_with(explanation.theirs)) {
      return {.at = BeginOfEscape(error), .message = explanation.message, .hint = explanation.hint};
    }
  }
  return {.at = error.at, .message = StrCat("invalid YAML: ", error.what)};
}

}  // namespace det
