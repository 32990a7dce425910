#include "cli/cmd/catalog_verbs.h"

namespace det::cli {

absl::StatusOr<ProjectWords> SplitProject(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
    return UsageError(StrCat(QuoteJson(text), " names no project"), "name both: WORKSPACE/PROJECT");
  }
  return ProjectWords{text.substr(0, slash), text.substr(slash + 1)};
}

absl::StatusOr<ProjectWords> Understand(const ProjectWords& words) {
  if (!words.project.empty()) return words;
  return SplitProject(words.workspace);
}

}  // namespace det::cli
