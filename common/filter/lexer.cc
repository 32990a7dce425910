#include "common/filter/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"
#include "common/base/value.h"
#include "common/filter/error.h"

namespace det::filter {
namespace {

struct Sign {
  std::string_view text;
  Token::Kind kind;
  Op op;
};
// The longer before those that they begin with.
constexpr Sign kSigns[] = {{"==", Token::Kind::kOp, Op::kEqual},
                           {"=~", Token::Kind::kOp, Op::kMatches},
                           {"!=", Token::Kind::kOp, Op::kNotEqual},
                           {"<=", Token::Kind::kOp, Op::kLessEqual},
                           {">=", Token::Kind::kOp, Op::kGreaterEqual},
                           {"=", Token::Kind::kOp, Op::kEqual},
                           {"<", Token::Kind::kOp, Op::kLess},
                           {">", Token::Kind::kOp, Op::kGreater},
                           {"~", Token::Kind::kOp, Op::kContains},
                           {"(", Token::Kind::kOpen, Op::kEqual},
                           {")", Token::Kind::kClose, Op::kEqual},
                           {",", Token::Kind::kComma, Op::kEqual}};

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (true) {
      while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
      if (at_ == text_.size()) break;
      DET_ASSIGN_OR_RETURN(Token token, Next());
      tokens_.push_back(std::move(token));
    }
    tokens_.push_back({.kind = Token::Kind::kEnd, .span = {at_, at_}});
    return std::move(tokens_);
  }

 private:
  absl::StatusOr<Token> Next() {
    const char c = text_[at_];
    if (c == '"' || c == '\'') return Quoted(c);
    if (IsWordChar(c)) return Word();
    for (const Sign& sign : kSigns) {
      if (!text_.substr(at_).starts_with(sign.text)) continue;
      const size_t begin = at_;
      at_ += sign.text.size();
      return Token{sign.kind, std::string(sign.text), sign.op, {begin, at_}};
    }
    return Strange();
  }

  Token Word() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsWordChar(text_[at_])) ++at_;
    return {Token::Kind::kWord,
            std::string(text_.substr(begin, at_ - begin)),
            Op::kEqual,
            {begin, at_}};
  }

  absl::StatusOr<Token> Quoted(char quote) {
    const size_t begin = at_++;
    Token token{.kind = Token::Kind::kQuoted};
    while (at_ < text_.size() && text_[at_] != quote) {
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        DET_ASSIGN_OR_RETURN(c, Escaped());
      } else if (c == '\0') {
        return ErrorAt(text_, {at_ - 1, at_}, "a filter holds no NUL");
      }
      token.text.push_back(c);
    }
    if (at_ == text_.size()) {
      return ErrorAt(text_, {begin, begin + 1}, "this quote is never closed");
    }
    token.span = {begin, ++at_};
    return token;
  }

  absl::StatusOr<char> Escaped() {
    const char c = text_[at_++];
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case '\\':
      case '"':
      case '\'':
        return c;
      default:
        return ErrorAt(text_,
                       {at_ - 2, at_},
                       "there is no such escape",
                       R"(there are \\, \", \', \n, \r and \t; a regular expression needs \\d)");
    }
  }

  absl::Status Strange() const {
    const Span span{at_, at_ + 1};
    if (text_[at_] == '&') return ErrorAt(text_, span, "write and for &&");
    if (text_[at_] == '|') return ErrorAt(text_, span, "write or for ||");
    if (text_[at_] == '!') return ErrorAt(text_, span, "write not for !");
    return ErrorAt(text_, span, "this character has to stand in quotes");
  }

  const std::string_view text_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

absl::Status CheckText(std::string_view text) {
  if (text.size() > kBytesMax) {
    return ErrorAt(text.substr(0, kBytesMax),
                   {0, 1},
                   StrCat("a filter has at most ", kBytesMax, " bytes, not ", text.size()));
  }
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = DecodeUtf8(text.substr(at));
    if (!point.valid) return ErrorAt(text, {at, at + 1}, "this is no UTF-8");
    at += point.bytes;
  }
  return absl::OkStatus();
}

}  // namespace

bool IsWordChar(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || std::isalnum(u) != 0 ||
         std::string_view("_.-+:/@%*#?$^").find(c) != std::string_view::npos;
}

bool IsKeyword(std::string_view word, std::string_view keyword) {
  return std::equal(word.begin(), word.end(), keyword.begin(), keyword.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
}

bool IsPlainWord(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kKeywords = {"and", "or", "not", "in"};
  return !text.empty() && std::all_of(text.begin(), text.end(), IsWordChar) &&
         std::none_of(kKeywords.begin(), kKeywords.end(), [&](std::string_view keyword) {
           return IsKeyword(text, keyword);
         });
}

absl::StatusOr<std::vector<Token>> Tokens(std::string_view text) {
  DET_RETURN_IF_ERROR(CheckText(text));
  return Lexer(text).Run();
}

}  // namespace det::filter
