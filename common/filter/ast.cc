#include "common/filter/ast.h"

#include <algorithm>
#include <array>

#include "common/base/strings.h"
#include "common/filter/lexer.h"

namespace det::filter {
namespace {

bool SameLiteral(const Literal& a, const Literal& b) {
  return a.text == b.text && a.quoted == b.quoted;
}

bool SameTest(const Test& a, const Test& b) {
  return a.field == b.field && a.op == b.op &&
         std::equal(
             a.values.begin(), a.values.end(), b.values.begin(), b.values.end(), SameLiteral);
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out.append("\\n");
    } else if (c == '\t') {
      out.append("\\t");
    } else if (c == '\r') {
      out.append("\\r");
    } else {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
  return out.append("\"");
}

std::string PrintField(const std::vector<std::string>& field) {
  return StrJoin(field, ".", [](const std::string& part) {
    const bool plain = IsPlainWord(part) && part.find('.') == std::string::npos;
    return plain ? part : Quote(part);
  });
}

std::string PrintLiteral(const Literal& literal) {
  return literal.quoted ? Quote(literal.text) : literal.text;
}

std::string PrintTest(const Test& test) {
  if (test.op != Op::kIn) {
    return StrCat(PrintField(test.field), " ", Name(test.op), " ", PrintLiteral(test.values.at(0)));
  }
  return StrCat(PrintField(test.field), " in (", StrJoin(test.values, ", ", PrintLiteral), ")");
}

// As a term of `outer`.
std::string PrintTerm(const Node& node, Node::Kind outer) {
  const bool bare = node.kind == Node::Kind::kTest || node.kind == Node::Kind::kNot ||
                    (node.kind == Node::Kind::kAnd && outer == Node::Kind::kOr);
  return bare ? Print(node) : StrCat("(", Print(node), ")");
}

}  // namespace

bool operator==(const Node& a, const Node& b) {
  return a.kind == b.kind && a.children == b.children &&
         (a.kind != Node::Kind::kTest || SameTest(a.test, b.test));
}

std::string_view Name(Op op) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "=", "!=", "<", "<=", ">", ">=", "~", "=~", "in"};
  return kNames[static_cast<size_t>(op)];
}

std::string Print(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kTest:
      return PrintTest(node.test);
    case Node::Kind::kNot:
      return StrCat("not ", PrintTerm(node.children.at(0), node.kind));
    case Node::Kind::kAnd:
    case Node::Kind::kOr:
      break;
  }
  return StrJoin(node.children,
                 node.kind == Node::Kind::kAnd ? " and " : " or ",
                 [&](const Node& child) { return PrintTerm(child, node.kind); });
}

}  // namespace det::filter
