#include "cli/base/files.h"
#include "cli/cmd/catalog_verbs.h"

// det template: parts of configurations that many use.
namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.since = "changed", .example = "'workspace = vision'", .limit = 1000};
  return *kind;
}

constexpr int64_t kTemplateBytesMax = 256 << 10;

struct Words {
  std::string name;
  std::string file;
  std::string workspace;
};

std::vector<Param> Params(Words* words) {
  return {Required("NAME", &words->name, "the template"),
          Required("FILE", &words->file, "YAML or JSON: any part of a configuration"),
          Option("-w,--workspace", "NAME", &words->workspace, "where it belongs")};
}

absl::StatusOr<ExitCode> Set(Context& context, const Words& words, bool must_be_new) {
  api::SetTemplateRequest request;
  request.set_name(words.name);
  request.set_workspace(words.workspace);
  DET_ASSIGN_OR_RETURN(*request.mutable_config(), ReadFile(words.file, kTemplateBytesMax));
  request.set_config_name(words.file);
  request.set_must_be_new(must_be_new);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const auto response,
                       client->Ask<api::TemplateResponse>("CatalogService/SetTemplate", request));
  return ShowDone(context,
                  response.template_(),
                  TemplateTable,
                  StrCat(must_be_new ? "created template " : "set template ", words.name));
}

}  // namespace

Command TemplateListCommand() {
  auto words = std::make_shared<ListWords>();
  Command command{.noun = "template",
                  .verb = "list",
                  .aliases = {"ls"},
                  .summary = "List templates.",
                  .examples = {{"det tpl ls", "which are there?"}},
                  .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
                    DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(*words, Kind()));
                    return ShowList<api::ListTemplatesResponse>(
                        context,
                        "CatalogService/ListTemplates",
                        api::ListTemplatesRequest(),
                        ask,
                        [](const auto& page) { return page.templates(); },
                        TemplateTable);
                  }};
  for (Param& param : ListParams(words.get(), Kind())) command.params.push_back(std::move(param));
  return command;
}

Command TemplateCreateCommand() {
  auto words = std::make_shared<Words>();
  return {.noun = "template",
          .verb = "create",
          .summary = "Store a new template.",
          .params = Params(words.get()),
          .examples = {{"det tpl create gpu gpu.yaml -w vision", "for the team"}},
          .run = [words](Context& context) { return Set(context, *words, true); }};
}

Command TemplateSetCommand() {
  auto words = std::make_shared<Words>();
  return {.noun = "template",
          .verb = "set",
          .summary = "Store a template, in place of one of that name.",
          .params = Params(words.get()),
          .examples = {{"det tpl set gpu gpu.yaml", "experiments that are there keep theirs"}},
          .run = [words](Context& context) { return Set(context, *words, false); }};
}

Command TemplateDescribeCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "template",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Print a template as it was written.",
          .params = {Required("NAME", name.get(), "the template")},
          .examples = {{"det tpl describe gpu > gpu.yaml", "to change it"}},
          .run = [name](Context& context) -> absl::StatusOr<ExitCode> {
            api::TemplateRequest request;
            request.set_name(*name);
            DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
            DET_ASSIGN_OR_RETURN(
                const auto response,
                client->Ask<api::TemplateResponse>("CatalogService/GetTemplate", request));
            DET_RETURN_IF_ERROR(context.Show(TemplateReport(response.template_())));
            return ExitCode::kOk;
          }};
}

Command TemplateRenameCommand() {
  struct RenameWords {
    std::string name;
    std::string to;
  };
  auto words = std::make_shared<RenameWords>();
  return {.noun = "template",
          .verb = "rename",
          .summary = "Give a template another name.",
          .params = {Required("NAME", &words->name, "the template"),
                     Required("NEW", &words->to, "the new name")},
          .examples = {{"det tpl rename gpu a100", "a better name"}},
          .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
            api::RenameTemplateRequest request;
            request.set_name(words->name);
            request.set_new_name(words->to);
            DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
            DET_ASSIGN_OR_RETURN(
                const auto response,
                client->Ask<api::TemplateResponse>("CatalogService/RenameTemplate", request));
            return ShowDone(context,
                            response.template_(),
                            TemplateTable,
                            StrCat("template ", words->name, " is now ", words->to));
          }};
}

Command TemplateDeleteCommand() {
  auto name = std::make_shared<std::string>();
  return {
      .noun = "template",
      .verb = "delete",
      .aliases = {"remove", "rm"},
      .summary = "Remove a template; experiments made from it stay as they are.",
      .params = {Required("NAME", name.get(), "the template")},
      .examples = {{"det tpl delete gpu", "nobody needs it"}},
      .run = [name](Context& context) {
        api::TemplateRequest request;
        request.set_name(*name);
        return CallAndSay<api::DeleteTemplateResponse>(
            context, "CatalogService/DeleteTemplate", request, StrCat("deleted template ", *name));
      }};
}

}  // namespace det::cli
