#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/app/context.h"
#include "cli/app/list_options.h"
#include "cli/app/sift.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/selection.h"
#include "cli/view/catalog_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

// What the verbs of people and places share.
namespace det::cli {

// Fetches a list page by page and shows it, filtered and sorted here: catalogues are small. `call`
// is the method; `request` says which; `items` gives a page's repeated field.
template <class Response, class Request, class Items, class MakeTable>
absl::StatusOr<ExitCode> ShowList(Context& context,
                                  const std::string& call,
                                  Request request,
                                  const ListAsk& ask,
                                  Items items,
                                  MakeTable table) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  using Item = std::decay_t<decltype(*items(Response()).begin())>;
  const auto next = [&](int32_t page_size, std::vector<Item>* out) -> absl::StatusOr<bool> {
    request.set_limit(page_size);
    DET_ASSIGN_OR_RETURN(const Response page, client->Ask<Response>(call, request));
    Append(items(page), out);
    request.set_after_id(page.next_after_id());
    return page.next_after_id() != 0;
  };
  DET_ASSIGN_OR_RETURN(auto pages, FetchPages<Item>(NeedsAll(ask) ? INT64_MAX : ask.most(), next));
  return ShowSifted(
      context, {ToDocumentList(pages.items), table(pages.items), {}}, ask, pages.more);
}

// Shows what a verb did as a line for people, the message itself for machines.
template <class Message, class MakeTable>
absl::StatusOr<ExitCode> ShowDone(Context& context,
                                  const Message& message,
                                  MakeTable table,
                                  const std::string& line) {
  DET_RETURN_IF_ERROR(
      context.Show({ToDocument(message), table({message}), {{"", StrCat(line, "\n")}}}));
  return ExitCode::kOk;
}

// Calls, and shows only the line.
template <class Response, class Request>
absl::StatusOr<ExitCode> CallAndSay(Context& context,
                                    const std::string& call,
                                    const Request& request,
                                    const std::string& line) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const Response response, client->Ask<Response>(call, request));
  DET_RETURN_IF_ERROR(context.Show({ToDocument(response), {}, {{"", StrCat(line, "\n")}}}));
  return ExitCode::kOk;
}

// A project as two words, or as one: WORKSPACE/PROJECT.
struct ProjectWords {
  std::string workspace;
  std::string project;
};
inline std::vector<Param> ProjectParams(ProjectWords* words) {
  return {Required("WORKSPACE", &words->workspace, "the workspace, or WORKSPACE/PROJECT"),
          Optional("PROJECT", &words->project, "the project")};
}
// "vision/digits".
absl::StatusOr<ProjectWords> SplitProject(const std::string& text);
// Both names of the project that has this id.
absl::StatusOr<ProjectWords> ProjectById(Context& context, const std::string& id);
// Both names, whichever way they came.
absl::StatusOr<ProjectWords> Understand(const ProjectWords& words);

}  // namespace det::cli
