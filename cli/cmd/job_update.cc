#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "cli/app/context.h"
#include "cli/app/exit_code.h"
#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/setting.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

// `det job`: the queue's view of experiments. A job's id is its experiment's.
namespace det::cli {
namespace {

struct Options {
  std::string id;
  std::map<std::string, std::string> settings;  // by name; "" is not given
};

struct BatchOptions {
  std::vector<std::string> changes;
};

// What is asked of one job.
struct Update {
  api::ConfigureExperimentRequest request;
  std::string done;  // for people
};

absl::Status Add(const Setting& setting, Update* update) {
  DET_RETURN_IF_ERROR(Fill(setting, &update->request));
  const bool place = setting.name == "ahead-of" || setting.name == "behind-of";
  StrAppend(update->done,
            update->done.empty() ? "" : ", ",
            place ? StrCat("moved ", setting.name == "ahead-of" ? "ahead of " : "behind ")
                  : StrCat(setting.name, " "),
            setting.value);
  return absl::OkStatus();
}

Outcome Send(Context& context, Client& client, const Update& update) {
  const absl::StatusOr<api::ExperimentResponse> response =
      client.ConfigureExperiment(update.request);
  if (!response.ok()) {
    context.PrintError(response.status());
    return {update.request.id(), response.status()};
  }
  return {update.request.id(), response->experiment(), update.done};
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  Update update;
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "job"));
  update.request.set_id(id);
  for (const std::string& name : JobSettings()) {
    const std::string& value = options.settings.at(name);
    if (!value.empty()) DET_RETURN_IF_ERROR(Add({name, value}, &update));
  }
  if (update.done.empty()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "USAGE",
                 "nothing is to be changed",
                 StrCat("name one of --", StrJoin(JobSettings(), ", --")));
  }
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  return ShowOutcomes(context, {Send(context, *client, update)}, 1);
}

absl::Status BadChange(const std::string& text) {
  return Error(absl::StatusCode::kInvalidArgument,
               "USAGE",
               StrCat(QuoteJson(text), " is no change of a job"),
               StrCat("write ID.SETTING=VALUE, as 7.priority=10; settings are ",
                      StrJoin(JobSettings(), ", ")));
}

// Nothing is changed unless all can be read.
absl::StatusOr<std::vector<Update>> Understand(const std::vector<std::string>& changes) {
  std::vector<Update> updates;
  for (const std::string& text : changes) {
    const size_t dot = text.find('.');
    const size_t equals = text.find('=');
    if (dot == std::string::npos || equals == std::string::npos || equals < dot)
      return BadChange(text);
    Setting setting{text.substr(dot + 1, equals - dot - 1), text.substr(equals + 1)};
    std::replace(setting.name.begin(), setting.name.end(), '_', '-');
    const auto& known = JobSettings();
    if (std::find(known.begin(), known.end(), setting.name) == known.end()) return BadChange(text);
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(text.substr(0, dot), 'e', "job"));
    auto update = std::find_if(
        updates.begin(), updates.end(), [&](const Update& u) { return u.request.id() == id; });
    if (update == updates.end()) {
      update = updates.emplace(updates.end());
      update->request.set_id(id);
    }
    DET_RETURN_IF_ERROR(Add(setting, &*update));
  }
  return updates;
}

absl::StatusOr<ExitCode> RunBatch(Context& context, const BatchOptions& options) {
  DET_ASSIGN_OR_RETURN(const std::vector<Update> updates, Understand(options.changes));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  std::vector<Outcome> outcomes;
  for (const Update& update : updates) outcomes.push_back(Send(context, *client, update));
  return ShowOutcomes(context, outcomes, updates.size());
}

}  // namespace

Command JobUpdateCommand() {
  auto options = std::make_shared<Options>();
  for (const std::string& name : JobSettings()) options->settings[name] = "";
  const auto to = [&](const std::string& name) { return &options->settings[name]; };
  return {.noun = "job",
          .verb = "update",
          .summary = "Change a job's place in the queue, its share or its pool.",
          .details =
              "A job's id is its experiment's. Beside a job of another priority it takes that\n"
              "priority; in a pool that shares fairly there is no order, only weights.",
          .params = {Required("ID", &options->id, "the job: 7 or e7"),
                     Option("-p,--priority", "N", to("priority"), "1..99, less goes first"),
                     Option("-w,--weight", "W", to("weight"), "above 0: its share"),
                     Option("--max-slots", "N", to("max-slots"), "slots at most, or \"none\""),
                     Option("--resource-pool", "POOL", to("resource-pool"), "go on in this pool"),
                     Option("--ahead-of", "ID", to("ahead-of"), "directly before this job"),
                     Option("--behind-of", "ID", to("behind-of"), "directly behind this job")},
          .examples = {{"det j update 7 --ahead-of 5", "let 7 go before 5"},
                       {"det j update 7 --priority 10", "before those of 11 and more"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

Command JobUpdateBatchCommand() {
  auto options = std::make_shared<BatchOptions>();
  return {.noun = "job",
          .verb = "update-batch",
          .summary = "Change several jobs at once.",
          .params = {Required("CHANGE", &options->changes, "ID.SETTING=VALUE")},
          .examples = {{"det j update-batch 7.priority=10 8.weight=2 9.ahead-of=7", ""}},
          .run = [options](Context& context) { return RunBatch(context, *options); }};
}

}  // namespace det::cli
