#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}

namespace det {

// A regular expression in RE2's syntax: matching takes time linear in the text, whatever the
// expression is. Over bytes, so that any text can be looked through. Immutable; any thread.
class Pattern {
 public:
  struct Options {
    bool ignore_case = false;
  };

  // INVALID_ARGUMENT (INVALID_PATTERN) with the place of the fault and a caret below it, also for
  // an expression of more than kBytesMax bytes or one that needs too much memory.
  static absl::StatusOr<Pattern> Compile(std::string_view text, Options options);
  static absl::StatusOr<Pattern> Compile(std::string_view text) { return Compile(text, Options()); }

  // Whether it matches anywhere in the text.
  bool FoundIn(std::string_view text) const;

  static constexpr size_t kBytesMax = 4096;

 private:
  explicit Pattern(std::shared_ptr<const re2::RE2> re) : re_(std::move(re)) {}

  std::shared_ptr<const re2::RE2> re_;
};

}  // namespace det
