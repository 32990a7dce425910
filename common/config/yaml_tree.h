#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/value.h"

// What common/config/yaml.h is made of; only that header is for use elsewhere.
namespace det {

// Bounds on a text. The parser below takes some 0.2 us and, in the worst case, 250 bytes for each
// character; these keep the worst text at some 80 ms and 40 MiB.
struct YamlLimits {
  size_t bytes_max = 256 << 10;
  // Characters that may be structure (brackets, commas, colons, dashes, line ends, ...), wherever
  // they stand: the parser holds a whole bracketed list in memory before it reports its first item.
  int64_t structure_max = 128'000;
  size_t scalar_bytes_max = 128 << 10;
  int64_t nodes_max = 80'000;  // keys and values, aliases counted as often as they are used
  int64_t expanded_bytes_max = 4 << 20;  // of all keys and strings, counted the same way
  int64_t aliases_max = 10'000;
  int depth_max = 100;
};

// A document as a graph: an alias is a second edge to the node it names, so that nothing is copied
// until the whole is known to be small enough. An alias to a node that is still open is refused, so
// there are no cycles.
struct YamlNode {
  enum class Kind : uint8_t { kScalar, kList, kMap };
  struct Child {
    std::string key;      // of a map
    int32_t key_at = -1;  // offset of the key
    size_t node = 0;
  };
  Kind kind = Kind::kScalar;
  int32_t at = 0;  // offset in the text
  Value scalar;
  std::vector<Child> children;  // of a map: sorted by key
  // Of everything from here down, aliases counted as often as they are used.
  int64_t nodes = 1;
  int64_t bytes = 0;
  int height = 0;  // nested lists and maps
};
using YamlTree = std::vector<YamlNode>;

// A mistake at an offset of the text; -1 is the text as a whole.
struct YamlMistake {
  int32_t at = -1;
  std::string message;
  std::string hint;
};

// Beyond these nobody reads on, and a hostile text could have very many.
inline constexpr size_t kYamlMistakesMax = 100;

// Reads a text that passed CheckYamlText into a tree whose node 0 is the root; empty when the text
// holds no document. The result is meaningful only when no mistake was noted. Never throws.
YamlTree BuildYamlTree(std::string_view text,
                       const YamlLimits& limits,
                       std::vector<YamlMistake>* mistakes);

// The value of a node and all below it.
Value ExpandYaml(const YamlTree& tree, size_t node);

}  // namespace det
