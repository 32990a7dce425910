#include "common/filter/parser.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/filter/error.h"
#include "common/filter/lexer.h"

namespace det::filter {
namespace {

constexpr char kOperators[] = "the operators are =, !=, <, <=, >, >=, ~ (contains), =~ and in";

class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens)
      : text_(text), tokens_(std::move(tokens)) {}

  absl::StatusOr<Node> Run() {
    if (At().kind == Token::Kind::kEnd) {
      return Fail(At(), "the filter is empty", "such as state = ACTIVE");
    }
    DET_ASSIGN_OR_RETURN(Node node, List(Node::Kind::kOr));
    if (At().kind == Token::Kind::kEnd) return node;
    if (At().kind == Token::Kind::kClose) return Fail(At(), "this parenthesis was never opened");
    return Fail(At(), "here and, or or the end is expected");
  }

  absl::StatusOr<std::vector<std::string>> Field() {
    DET_ASSIGN_OR_RETURN(Test test, FieldOf());
    if (At().kind != Token::Kind::kEnd) return Fail(At(), "the field's name should end here");
    return std::move(test.field);
  }

 private:
  const Token& At() const { return tokens_[next_]; }
  bool AtWord(std::string_view keyword) const {
    return At().kind == Token::Kind::kWord && IsKeyword(At().text, keyword);
  }
  absl::Status Fail(const Token& token, std::string_view what, std::string_view hint = {}) const {
    return ErrorAt(text_, token.span, what, hint);
  }

  // Terms joined by one keyword: "or" above "and".
  absl::StatusOr<Node> List(Node::Kind kind) {
    const bool any = kind == Node::Kind::kOr;
    Node list{.kind = kind};
    do {
      DET_ASSIGN_OR_RETURN(Node term, any ? List(Node::Kind::kAnd) : Unary());
      // (a and b) and c is a and b and c.
      if (term.kind == kind) {
        std::move(term.children.begin(), term.children.end(), std::back_inserter(list.children));
      } else {
        list.children.push_back(std::move(term));
      }
    } while (AtWord(any ? "or" : "and") && ++next_ > 0);
    if (list.children.size() > 1) return list;
    return Node(std::move(list.children[0]));
  }

  absl::StatusOr<Node> Unary() {
    const Token& first = At();
    if (!AtWord("not") && first.kind != Token::Kind::kOpen) return TestNode();
    if (++depth_ > kDepthMax) {
      return Fail(first, StrCat("a filter is at most ", kDepthMax, " levels deep"));
    }
    ++next_;
    Node node;
    if (first.kind == Token::Kind::kOpen) {
      DET_ASSIGN_OR_RETURN(node, List(Node::Kind::kOr));
      if (At().kind != Token::Kind::kClose) {
        if (At().kind == Token::Kind::kEnd) return Fail(first, "this parenthesis is never closed");
        return Fail(At(), "here and, or or ) is expected");
      }
      ++next_;
    } else {
      DET_ASSIGN_OR_RETURN(Node inner, Unary());
      node.kind = Node::Kind::kNot;
      node.children.push_back(std::move(inner));
    }
    --depth_;
    return node;
  }

  absl::StatusOr<Node> TestNode() {
    if (++tests_ > kTestsMax) {
      return Fail(At(), StrCat("a filter has at most ", kTestsMax, " tests"));
    }
    Node node;
    DET_ASSIGN_OR_RETURN(node.test, FieldOf());
    Test& test = node.test;
    test.op_span = At().span;
    if (At().kind == Token::Kind::kOp) {
      test.op = At().op;
      ++next_;
      DET_ASSIGN_OR_RETURN(test.values.emplace_back(), Value());
      return node;
    }
    const bool negated = AtWord("not");
    if (negated) ++next_;
    if (AtWord("in")) {
      ++next_;
      test.op = Op::kIn;
      DET_RETURN_IF_ERROR(Values(&test));
      if (!negated) return node;
      Node outer{.kind = Node::Kind::kNot};
      outer.children.push_back(std::move(node));
      return outer;
    }
    if (negated) return Fail(At(), "here in is expected, as in: state not in (ACTIVE, PAUSED)");
    // A field alone.
    const bool over = At().kind == Token::Kind::kEnd || At().kind == Token::Kind::kClose ||
                      AtWord("and") || AtWord("or");
    if (!over) return Fail(At(), "here an operator is expected", kOperators);
    test.op_span = test.field_span;
    test.values.push_back({.text = "true", .span = test.field_span});
    return node;
  }

  absl::Status Values(Test* test) {
    const Token& open = At();
    if (open.kind != Token::Kind::kOpen) return Fail(open, "here ( is expected: in (a, b)");
    do {
      ++next_;
      DET_ASSIGN_OR_RETURN(test->values.emplace_back(), Value());
      if (++tests_ > kTestsMax) {
        return Fail(At(), StrCat("a filter has at most ", kTestsMax, " tests and values"));
      }
    } while (At().kind == Token::Kind::kComma);
    if (At().kind == Token::Kind::kEnd) return Fail(open, "this parenthesis is never closed");
    if (At().kind != Token::Kind::kClose) return Fail(At(), "here a comma or ) is expected");
    ++next_;
    return absl::OkStatus();
  }

  absl::StatusOr<Literal> Value() {
    const Token& token = At();
    const bool quoted = token.kind == Token::Kind::kQuoted;
    if (!quoted && token.kind != Token::Kind::kWord) return Fail(token, "here a value is expected");
    if (!quoted && !IsPlainWord(token.text)) {
      return Fail(
          token,
          StrCat(
              "here a value is expected; the text ", QuoteJson(token.text), " needs its quotes"));
    }
    ++next_;
    return Literal{token.text, quoted, token.span};
  }

  // Words and quoted parts that touch each other: hparams."a b".c comes as three tokens.
  absl::StatusOr<Test> FieldOf() {
    Test test;
    const Token& first = At();
    if (first.kind != Token::Kind::kWord || !IsPlainWord(first.text)) {
      const bool quoted = first.kind == Token::Kind::kQuoted;
      return Fail(first,
                  quoted ? "here a field is expected, without quotes" : "here a field is expected");
    }
    test.field.emplace_back();
    bool dot = true;  // a part begins
    size_t end = first.span.begin;
    while (At().span.begin == end) {
      const Token& token = At();
      if (token.kind == Token::Kind::kQuoted) {
        if (!dot || token.text.empty()) break;
        test.field.back() = token.text;
        dot = false;
      } else if (token.kind == Token::Kind::kWord && (dot || token.text.front() == '.')) {
        DET_RETURN_IF_ERROR(AddParts(token, &dot, &test));
      } else {
        break;
      }
      end = token.span.end;
      ++next_;
    }
    test.field_span = {first.span.begin, end};
    if (dot) return ErrorAt(text_, test.field_span, "the field's name ends with a dot");
    return test;
  }

  absl::Status AddParts(const Token& token, bool* dot, Test* test) const {
    for (const char c : token.text) {
      if (c != '.') {
        test->field.back().push_back(c);
        *dot = false;
        continue;
      }
      if (*dot) return Fail(token, "between two dots a name is missing");
      test->field.emplace_back();
      *dot = true;
    }
    return absl::OkStatus();
  }

  const std::string_view text_;
  const std::vector<Token> tokens_;
  size_t next_ = 0;
  int depth_ = 0;
  size_t tests_ = 0;
};

}  // namespace

absl::StatusOr<Node> Parse(std::string_view text) {
  DET_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokens(text));
  return Parser(text, std::move(tokens)).Run();
}

absl::StatusOr<std::vector<std::string>> ParseField(std::string_view text) {
  DET_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokens(text));
  return Parser(text, std::move(tokens)).Field();
}

}  // namespace det::filter
