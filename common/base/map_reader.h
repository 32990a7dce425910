#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/problem.h"
#include "common/base/value.h"

namespace det {

// "a" + "b" = "a.b"; "" + "b" = "b".
std::string JoinPath(std::string_view path, std::string_view key);

// Free values are printed as JSON, set as environment variables and stored in a database. Notes
// every NUL byte in a string or key and every number that is not finite: none of these could hold
// it.
void CheckStorable(const Value& value, std::string path, Problems* problems);

// Reads the keys of one map, notes every problem with its path, and at the end names the keys that
// nobody read. A key that is absent or null keeps its default. Never stops at the first problem.
// A number or text beyond its bounds is a broken rule: it is noted, and given all the same.
class MapReader {
 public:
  // `value` must be a map or null, else one problem is noted and the reader acts as if it was
  // empty.
  MapReader(const Value& value, std::string path, Problems* problems);

  // nullptr when absent or null. Marks the key as known.
  const Value* Take(std::string_view key);

  void String(std::string_view key, int64_t bytes_max, std::string* out);
  // A string of one line that a terminal shows as it is: without control characters.
  void Line(std::string_view key, int64_t bytes_max, std::string* out);
  // A list of at most `count_max` strings.
  void StringList(std::string_view key,
                  int64_t count_max,
                  int64_t bytes_max,
                  std::vector<std::string>* out);
  void Bool(std::string_view key, bool* out);
  void Int(std::string_view key, int64_t min, int64_t max, int64_t* out);
  void OptionalInt(std::string_view key, int64_t min, int64_t max, std::optional<int64_t>* out);
  // Accepts integers too. The value must be finite.
  void Number(std::string_view key, double* out);
  void Required(std::string_view key);
  // One of `names`, in the order of the enumerators 0, 1, 2, ...
  template <class E>
  void Enum(std::string_view key, const std::vector<std::string>& names, E* out) {
    const int index = EnumIndex(key, names);
    if (index >= 0) *out = static_cast<E>(index);
  }

  // Determined has the key, we do not yet act on it: a warning when it is there.
  void NotYet(std::string_view key);
  // No effect in Determined either: taken in silence.
  void Ignore(std::string_view key);

  // Unknown keys become errors with the nearest known one.
  void Finish();

  std::string PathOf(std::string_view key) const { return JoinPath(path_, key); }
  void Error(std::string_view key, std::string message, std::string hint = "");
  // An error of a value that was read whole (Problem::rule).
  void Broken(std::string_view key, std::string message, std::string hint = "");
  void Warn(std::string_view key, std::string message, std::string hint = "");

 private:
  int EnumIndex(std::string_view key, const std::vector<std::string>& names);
  std::optional<int64_t> TakeInt(std::string_view key, int64_t min, int64_t max);

  const Value* map_ = nullptr;
  std::string path_;
  Problems* problems_;
  std::vector<std::string> known_;
};

}  // namespace det
