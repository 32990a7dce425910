#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "common/filter/ast.h"

namespace det::filter {

struct Token {
  enum class Kind { kWord, kQuoted, kOp, kOpen, kClose, kComma, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;  // of a quoted one what it stands for
  Op op = Op::kEqual;
  Span span;
};

// The tokens of `text`, the last of which is kEnd. Errors: INVALID_ARGUMENT (reason BAD_FILTER).
absl::StatusOr<std::vector<Token>> Tokens(std::string_view text);

// Whether a word may hold the character at the front of something without quotes.
bool IsWordChar(char c);

// Whether the text, without quotes, would be read as one word that is no keyword.
bool IsPlainWord(std::string_view text);

// "and", "or", "not" and "in", whatever the case of the letters.
bool IsKeyword(std::string_view word, std::string_view keyword);

}  // namespace det::filter
