#include "cli/client/contexts.h"

#include <memory>
#include <utility>

#include "cli/app/context.h"
#include "cli/app/sift.h"
#include "cli/base/cause.h"
#include "cli/cmd/commands.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

Document ContextDocument(const Contexts& contexts, const ClusterContext& context) {
  return Document()
      .Add("name", context.name)
      .Add("current", context.name == contexts.current)
      .Add("master", context.master)
      .Add("token_file", context.token_file)
      .Add("plaintext", context.plaintext);
}

Report ContextsReport(const Contexts& contexts, const std::vector<ClusterContext>& shown) {
  Document::List list;
  Table table{.columns = {{"current"},
                          {"name"},
                          {"master"},
                          {.name = "token_file", .shrinks = true},
                          {"plaintext", Align::kLeft, Visible::kMachines}},
              .key = "name"};
  for (const ClusterContext& context : shown) {
    list.push_back(ContextDocument(contexts, context));
    table.rows.push_back({TextCell(context.name == contexts.current ? "*" : ""),
                          context.name,
                          context.master,
                          TextCell(context.token_file),
                          std::string(context.plaintext ? "true" : "false")});
  }
  return {std::move(list), std::move(table), {}};
}

const ListKind& Kind() {
  static const auto* const kind = new ListKind{.example = "'master ~ 8090'", .limit = 1000};
  return *kind;
}

absl::StatusOr<ExitCode> List(Context& context, const ListWords& words) {
  DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words, Kind()));
  DET_ASSIGN_OR_RETURN(const Contexts contexts, ReadContexts(context.getenv()));
  return ShowSifted(context, ContextsReport(contexts, contexts.all), ask, false);
}

absl::StatusOr<ExitCode> Show(Context& context, const std::string& name) {
  DET_ASSIGN_OR_RETURN(const Contexts contexts, ReadContexts(context.getenv()));
  const std::string& wanted = name.empty() ? contexts.current : name;
  const ClusterContext* found = contexts.Find(wanted);
  if (found == nullptr && name.empty()) {
    return Error(absl::StatusCode::kNotFound,
                 "CONTEXT_UNKNOWN",
                 "there is no current context",
                 "det login ADDRESS makes one");
  }
  if (found == nullptr) return NoSuchContext(contexts, wanted);
  Report report = ContextsReport(contexts, {*found});
  report.document = ContextDocument(contexts, *found);
  report.sections.push_back(
      {"",
       Fields{{"context", found->name},
              {"master", found->master},
              {"token file", TextCell(found->token_file)},
              {"current", std::string(found->name == contexts.current ? "yes" : "no")}}});
  DET_RETURN_IF_ERROR(context.Show(std::move(report)));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Use(Context& context, const std::string& name) {
  DET_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.getenv()));
  const ClusterContext* found = contexts.Find(name);
  if (found == nullptr) return NoSuchContext(contexts, name);
  contexts.current = name;
  DET_RETURN_IF_ERROR(WriteContexts(context.getenv(), contexts));
  context.Say(StrCat("commands now go to ", name, ", ", found->master));
  for (const char* variable : {"DET_MASTER", "DET_CONTEXT"}) {
    const std::string value = context.getenv()(variable).value_or("");
    if (!value.empty()) context.Warn(StrCat(variable, " is ", value, ", which goes before"));
  }
  return ExitCode::kOk;
}

struct NewContext {
  std::string name;
  std::string master;
  bool use = false;
};

absl::StatusOr<ExitCode> Add(Context& context, const NewContext& wanted) {
  DET_RETURN_IF_ERROR(CheckContextName(wanted.name));
  DET_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.getenv()));
  if (contexts.Find(wanted.name) != nullptr) {
    return Error(absl::StatusCode::kAlreadyExists,
                 "CONTEXT_EXISTS",
                 StrCat("there is a context ", wanted.name),
                 StrCat("det context rm ", wanted.name, " removes it"));
  }
  ClusterContext added{.name = wanted.name, .plaintext = context.options().connection.plaintext};
  DET_ASSIGN_OR_RETURN(added.master, ParseAddress(wanted.master));
  added.token_file = context.options().connection.token_file;
  if (wanted.use || contexts.current.empty()) contexts.current = wanted.name;
  contexts.Put(std::move(added));
  DET_RETURN_IF_ERROR(WriteContexts(context.getenv(), contexts));
  context.Say(StrCat("context ",
                     wanted.name,
                     " is there",
                     contexts.current == wanted.name ? ", and commands go to it" : ""));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Remove(Context& context, const std::string& name) {
  DET_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.getenv()));
  const ClusterContext* found = contexts.Find(name);
  if (found == nullptr) return NoSuchContext(contexts, name);
  DET_RETURN_IF_ERROR(RemoveToken(context.getenv(), *found));
  contexts.Remove(name);
  if (contexts.current == name) contexts.current.clear();
  DET_RETURN_IF_ERROR(WriteContexts(context.getenv(), contexts));
  context.Say(StrCat("context ", name, " is gone"));
  if (contexts.current.empty() && !contexts.all.empty()) {
    context.Note("there is no current context; det context use NAME takes one");
  }
  return ExitCode::kOk;
}

}  // namespace

Command ContextListCommand() {
  auto words = std::make_shared<ListWords>();
  return {.noun = "context",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List the clusters that have a name.",
          .params = ListParams(words.get(), Kind()),
          .examples = {{"det context list", "which are there, and which is current?"}},
          .run = [words](Context& context) { return List(context, *words); }};
}

Command ContextShowCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "context",
          .verb = "show",
          .aliases = {"describe"},
          .summary = "Show one context, or the current one.",
          .params = {Optional("NAME", name.get(), "the context; else the current one")},
          .examples = {{"det context show -o name", "the name of the current one"}},
          .run = [name](Context& context) { return Show(context, *name); }};
}

Command ContextUseCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "context",
          .verb = "use",
          .aliases = {"switch"},
          .summary = "Make a context the current one: commands go to its cluster.",
          .params = {Required("NAME", name.get(), "the context")},
          .examples = {{"det context use prod", "work on prod from now on"},
                       {"det --context prod e ls", "ask prod once"}},
          .run = [name](Context& context) { return Use(context, *name); }};
}

Command ContextAddCommand() {
  auto wanted = std::make_shared<NewContext>();
  return {.noun = "context",
          .verb = "add",
          .aliases = {"create"},
          .summary = "Name a cluster, without logging in.",
          .details =
              "With --token-file its token is read from that file at each command. det login "
              "makes a context too, and keeps the token.",
          .params = {Required("NAME", &wanted->name, "the name"),
                     Required("MASTER", &wanted->master, "the master's HOST:PORT"),
                     Flag("--use", &wanted->use, "make it the current one")},
          .examples = {{"det context add prod 10.0.0.5:8090 --use", "name a cluster and go to it"}},
          .run = [wanted](Context& context) { return Add(context, *wanted); }};
}

Command ContextRemoveCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "context",
          .verb = "rm",
          .aliases = {"remove", "delete"},
          .summary = "Forget a context and the token that det login kept for it.",
          .params = {Required("NAME", name.get(), "the context")},
          .examples = {{"det context rm old", "forget a cluster that is no more"}},
          .run = [name](Context& context) { return Remove(context, *name); }};
}

}  // namespace det::cli
