#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// What people may call things. Pure.
namespace det::catalog {

inline constexpr size_t kNameBytesMax = 128;  // of users, workspaces, projects, templates
inline constexpr size_t kExperimentNameBytesMax = 256;
inline constexpr size_t kDescriptionBytesMax = 4096;
inline constexpr size_t kNotesBytesMax = 256 << 10;  // of one experiment
inline constexpr size_t kLabelBytesMax = 256;
inline constexpr size_t kLabelsMax = 100;  // of one experiment

// The name of a workspace, project, template or token without the blanks around it.
// INVALID_ARGUMENT (reason INVALID_NAME): empty, too long, not UTF-8, with a slash (which parts a
// workspace from a project), or with what can't be seen: control characters, blanks other than
// U+0020, invisible characters and those that turn the direction of writing. `what` is for the
// error: "workspace".
absl::StatusOr<std::string> CheckName(std::string_view what, std::string_view name);

// Of a user: ASCII letters, digits and ._@+- alone, so that it fits into headers, paths and
// variables. "everybody" is taken.
absl::StatusOr<std::string> CheckUserName(std::string_view name);

// Two names are the same when they fold to the same: without regard to case, of the Latin, Greek
// and Cyrillic letters, in every locale alike.
std::string Fold(std::string_view name);

// A text of one line, trimmed; it may be empty. Errors as CheckName (reason INVALID_TEXT), but
// slashes are fine.
struct TextRule {
  std::string_view what;  // "description"
  size_t bytes_max = 0;
  bool lines = false;  // line ends and tabs are fine
};
absl::StatusOr<std::string> CheckText(const TextRule& rule, std::string_view text);

// Labels: trimmed, sorted, each once, their case as it is.
absl::StatusOr<std::vector<std::string>> CheckLabels(const std::vector<std::string>& labels);

}  // namespace det::catalog
