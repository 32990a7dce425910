#include <algorithm>
#include <memory>
#include <set>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/log_options.h"
#include "cli/cmd/trial_pages.h"
#include "cli/follow/watcher.h"
#include "cli/logs/tail_pool.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);

struct Options {
  std::string id;
  std::string trial;
  LogOptions log;
};

bool HasEndedTrial(const api::Trial& trial) {
  return trial.state() == "COMPLETED" || trial.state() == "CANCELED" || trial.state() == "ERROR";
}

// Follows all trials of an experiment: those that have ended, those that run, those that will.
class ExperimentLog {
 public:
  ExperimentLog(Client* client, int64_t experiment, api::TailLogsRequest request)
      : client_(client), experiment_(experiment), request_(std::move(request)), pool_(client) {}

  absl::Status Follow(LogPrinter* printer) {
    DET_ASSIGN_OR_RETURN(const TrialPages pages, ListTrials(client_, {experiment_}));
    for (const api::Trial& trial : pages.trials) {
      if (!HasEndedTrial(trial)) continue;
      // One after another, as `logs` without -f: there may be thousands.
      known_.insert(trial.id());
      request_.set_trial(trial.id());
      DET_RETURN_IF_ERROR(PrintTrialLog(client_, request_, printer));
    }
    follow::Watcher watcher(client_, experiment_);
    bool closed = false;
    absl::Status status;
    while (!closed || pool_.open() > 0 || Behind()) {
      Print(pool_.Next(kLook), printer, &status);
      if (!closed) {
        const follow::Watcher::Update update = watcher.Wait(absl::ZeroDuration());
        if (update.snapshot.has_value()) newest_ = update.snapshot;
        closed = update.closed;
        DET_RETURN_IF_ERROR(update.status);
      }
      DET_RETURN_IF_ERROR(StartNew());
    }
    printer->Finish();
    return status;
  }

 private:
  void Print(const std::optional<TailPool::Item>& item, LogPrinter* printer, absl::Status* status) {
    if (!item.has_value()) return;
    if (item->line.has_value()) {
      printer->Print(*item->line);
    } else {
      status->Update(item->status);
    }
  }

  // Whether trials have ended that were not looked for yet.
  bool Behind() const { return newest_.has_value() && newest_->trials_closed != closed_; }

  // Starts to read the trials that are new. One may come and go between two snapshots: then the
  // list of trials has it.
  absl::Status StartNew() {
    if (!newest_.has_value()) return absl::OkStatus();
    for (const follow::TrialSnapshot& trial : newest_->running) Start(trial.id);
    if (!Behind()) return absl::OkStatus();
    const absl::StatusOr<TrialPages> pages = ListTrials(client_, {experiment_});
    // A master that is away is awaited by the watcher; the next round asks again.
    if (absl::IsUnavailable(pages.status())) return absl::OkStatus();
    DET_RETURN_IF_ERROR(pages.status());
    closed_ = newest_->trials_closed;
    for (const api::Trial& trial : pages->trials) {
      if (HasEndedTrial(trial)) Start(trial.id());
    }
    return absl::OkStatus();
  }

  void Start(int64_t trial) {
    if (!known_.insert(trial).second) return;
    request_.set_trial(trial);
    pool_.Start(request_);
  }

  Client* const client_;
  const int64_t experiment_;
  api::TailLogsRequest request_;  // of each trial
  TailPool pool_;
  std::set<int64_t> known_;
  std::optional<follow::Snapshot> newest_;
  int64_t closed_ = 0;  // trials, when they were last listed
};

absl::StatusOr<ExitCode> RunTrial(Context& context, int64_t experiment, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t trial, ParseId(options.trial, 't', "trial"));
  DET_ASSIGN_OR_RETURN(api::TailLogsRequest request, LogRequest(options.log, absl::Now()));
  request.set_trial(trial);
  DET_ASSIGN_OR_RETURN(LogPrinter printer, LogPrinter::Create(context, options.log, false));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetTrialResponse response, client->GetTrial(trial));
  if (response.trial().experiment() != experiment) {
    return Error(absl::StatusCode::kNotFound,
                 "TRIAL_OF_ANOTHER_EXPERIMENT",
                 StrCat("trial ",
                        trial,
                        " is one of experiment ",
                        response.trial().experiment(),
                        ", not of experiment ",
                        experiment));
  }
  DET_RETURN_IF_ERROR(PrintTrialLog(client, request, &printer));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "experiment"));
  if (!options.trial.empty()) return RunTrial(context, id, options);
  DET_ASSIGN_OR_RETURN(api::TailLogsRequest request, LogRequest(options.log, absl::Now()));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  if (options.log.follow) {
    DET_ASSIGN_OR_RETURN(LogPrinter printer, LogPrinter::Create(context, options.log, true));
    DET_RETURN_IF_ERROR(ExperimentLog(client, id, request).Follow(&printer));
    return ExitCode::kOk;
  }
  DET_ASSIGN_OR_RETURN(const TrialPages pages, ListTrials(client, {id}));
  DET_ASSIGN_OR_RETURN(LogPrinter printer,
                       LogPrinter::Create(context, options.log, pages.trials.size() > 1));
  for (const api::Trial& trial : pages.trials) {
    request.set_trial(trial.id());
    DET_RETURN_IF_ERROR(PrintTrialLog(client, request, &printer));
  }
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentLogsCommand() {
  auto options = std::make_shared<Options>();
  Command command{.noun = "experiment",
                  .verb = "logs",
                  .summary = "Print what the trials of an experiment printed.",
                  .details =
                      "Where there are several, each line begins with its trial: t17 | ...\n"
                      "Filters and numbers of lines hold for each trial. With -f: those that have "
                      "ended, one after another, then those that run and those that will, to the "
                      "end of the experiment.",
                  .params = LogParams(&options->log),
                  .examples = {{"det e logs 7", "trial after trial"},
                               {"det e logs -f 7", "all that run, as it comes"},
                               {"det e logs 7 --trial 17 --tail 50", "the end of one"}},
                  .run = [options](Context& context) { return Run(context, *options); }};
  command.params.insert(command.params.begin(),
                        Required("ID", &options->id, "the experiment: 7 or e7"));
  command.params.push_back(Option("--trial", "ID", &options->trial, "only this trial: 17 or t17"));
  return command;
}

}  // namespace det::cli
