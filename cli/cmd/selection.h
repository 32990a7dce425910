#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/command.h"
#include "cli/client/client.h"

namespace det::cli {

class Context;

// Of a word that may be an empty text: it was not given.
inline constexpr char kUnset[] = "\x01";

// The experiments that a verb is done to: those named, or those that a filter finds.
struct Selection {
  std::vector<std::string> ids;
  std::string filter;
  bool yes = false;
};

// What is asked of them.
struct Selecting {
  std::string verb;        // "kill"
  bool needs_yes = false;  // also of those that are named
  bool archived = false;   // a filter finds those too
};

Param FilterParam(Selection* selection);
Param YesParam(Selection* selection);

// Of words ID VALUE, or VALUE alone where a filter names the experiments: puts the ids into the
// selection and gives the value; `value` is kUnset where there was one word. INVALID_ARGUMENT
// (reason USAGE) that calls it `name`.
absl::StatusOr<std::string> TakeValue(const std::string& name,
                                      const std::string& first,
                                      const std::string& value,
                                      Selection* selection);

// The ids. What a filter finds is shown and, without --yes, left alone: an error says so (exit code
// 2). INVALID_ARGUMENT too when both ids and a filter are given, or neither.
absl::StatusOr<std::vector<int64_t>> Select(Context& context,
                                            const Selection& selection,
                                            const Selecting& what);

}  // namespace det::cli
