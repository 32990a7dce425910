#pragma once

#include <string>
#include <utility>
#include <vector>

#include <rapidcheck.h>

#include "common/filter/ast.h"
#include "common/filter/lexer.h"

// Random filters for property tests.
namespace det::filter::testing {

inline Literal AnyLiteral(const std::vector<std::string>& words) {
  Literal literal;
  literal.text = *rc::gen::elementOf(words);
  literal.quoted = !IsPlainWord(literal.text) || *rc::gen::inRange(0, 4) == 0;
  return literal;
}

// A tree of at most `depth` levels whose tests `test` makes. Of the shape that Parse gives: a list
// holds no list of its own kind.
template <class MakeTest>
Node AnyNode(int depth, MakeTest test) {
  const int kind = depth == 0 ? 0 : *rc::gen::inRange(0, 6);
  Node node;
  if (kind < 3) {
    node.test = test();
    return node;
  }
  node.kind = kind == 3 ? Node::Kind::kNot : kind == 4 ? Node::Kind::kAnd : Node::Kind::kOr;
  const int children = kind == 3 ? 1 : *rc::gen::inRange(2, 4);
  while (static_cast<int>(node.children.size()) < children) {
    Node child = AnyNode(depth - 1, test);
    const bool alike = kind != 3 && child.kind == node.kind;
    node.children.push_back(alike ? std::move(child.children[0]) : std::move(child));
  }
  return node;
}

}  // namespace det::filter::testing
