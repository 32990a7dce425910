#pragma once

#include <cstddef>
#include <string>
#include <vector>

// A filter as it was written. The grammar, which is the same at every door:
//
//   filter := and ("or" and)*
//   and    := unary ("and" unary)*
//   unary  := "not" unary | "(" filter ")" | test
//   test   := field op value | field ["not"] "in" "(" value ("," value)* ")" | field
//   op     := "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "=~"
//   field  := word with dots, whose parts may be quoted: hparams."a b".c
//   value  := word | "quoted" | 'quoted'
//
// Keywords are so in any case of letters. A field alone asks whether it is true. What a word means
// (a number, a time, a duration, text) is the field's to say.
namespace det::filter {

inline constexpr size_t kBytesMax = 8192;
inline constexpr int kDepthMax = 64;
inline constexpr size_t kTestsMax = 256;

// Bytes of the text, the end excluded.
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

struct Literal {
  std::string text;
  bool quoted = false;
  Span span = {};
};

enum class Op {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kContains,
  kMatches,
  kIn,
};

struct Test {
  std::vector<std::string> field;  // its parts, at least one
  Op op = Op::kEqual;
  std::vector<Literal> values;  // one, but of kIn one or more
  Span field_span = {};
  Span op_span = {};
};

struct Node {
  enum class Kind { kAnd, kOr, kNot, kTest };
  Kind kind = Kind::kTest;
  std::vector<Node> children;  // two or more; of kNot one
  Test test;                   // of kTest
};

// Alike in everything but where it stands in the text.
bool operator==(const Node& a, const Node& b);

// The operator as it is written.
std::string_view Name(Op op);

// A text that Parse reads as an equal node.
std::string Print(const Node& node);

}  // namespace det::filter
