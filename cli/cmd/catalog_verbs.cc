#include "cli/cmd/catalog_verbs.h"

namespace det::cli {

absl::StatusOr<ProjectWords> SplitProject(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
    return UsageError(StrCat(QuoteJson(text), " names no project"), "name both: WORKSPACE/PROJECT");
  }
  return ProjectWords{text.substr(0, slash), text.substr(slash + 1)};
}

absl::StatusOr<ProjectWords> ProjectById(Context& context, const std::string& id) {
  DET_ASSIGN_OR_RETURN(const int64_t number, ParseId(id, 'p', "project"));
  api::ListProjectsRequest request;
  request.set_archived(true);
  request.set_after_id(number - 1);
  request.set_limit(1);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(
      const auto page,
      client->Ask<api::ListProjectsResponse>("CatalogService/ListProjects", request));
  if (page.projects_size() == 1 && page.projects(0).id() == number)
    return ProjectWords{page.projects(0).workspace(), page.projects(0).name()};
  return Error(absl::StatusCode::kNotFound,
               "NO_SUCH_PROJECT",
               StrCat("there is no project ", number, " that you may see"),
               "det project list shows them, with their ids");
}

absl::StatusOr<ProjectWords> Understand(const ProjectWords& words) {
  if (!words.project.empty()) return words;
  return SplitProject(words.workspace);
}

}  // namespace det::cli
