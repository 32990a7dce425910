#include <algorithm>
#include <memory>
#include <utility>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/client/live_pages.h"
#include "cli/cmd/commands.h"
#include "cli/top/keyboard.h"
#include "cli/top/screen.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(2);
constexpr int64_t kRowsMax = 1000;

// Asks the master for what the panes show; the filter is of the pane that is seen.
class Source {
 public:
  explicit Source(Client* client) : client_(client) {}

  absl::StatusOr<TopSnapshot> Look(const TopView& view) {
    TopSnapshot snapshot{.address = client_->connection().address};
    DET_ASSIGN_OR_RETURN(snapshot.cluster, client_->GetCluster());
    const auto filter = [&](TopView::Pane pane) {
      return view.pane == pane && !view.typing ? view.filter : std::string();
    };
    api::ListAgentsRequest agents;
    agents.set_filter(filter(TopView::Pane::kAgents));
    DET_ASSIGN_OR_RETURN(auto agent_pages, ListAgents(client_, agents, kRowsMax));
    snapshot.agents = std::move(agent_pages.items);
    api::ListJobsRequest jobs;
    jobs.set_filter(filter(TopView::Pane::kJobs));
    DET_ASSIGN_OR_RETURN(auto job_pages, ListJobs(client_, jobs, kRowsMax));
    snapshot.jobs = std::move(job_pages.items);
    api::ListTrialsRequest trials;
    trials.set_only_live(true);
    trials.set_limit(static_cast<int32_t>(kRowsMax));
    trials.set_filter(filter(TopView::Pane::kTrials));
    DET_ASSIGN_OR_RETURN(const auto page, client_->ListTrials(trials));
    snapshot.trials.assign(page.trials().begin(), page.trials().end());
    return snapshot;
  }

 private:
  Client* const client_;
};

std::string FirstLine(const absl::Status& status) {
  const std::string_view text = FromAbsl(status.message());
  return std::string(text.substr(0, text.find('\n')));
}

void Draw(Context& context, const std::vector<std::string>& lines) {
  std::string frame = "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    StrAppend(frame, i == 0 ? "" : "\r\n", lines[i], "\x1b[K");
  }
  context.out().Write(frame + "\x1b[J");
}

// Looks again, and keeps what was seen when the master can't tell.
void Refresh(Source& source, TopView* view, TopSnapshot* snapshot) {
  absl::StatusOr<TopSnapshot> seen = source.Look(*view);
  const bool bad_filter = ErrorReason(seen.status()) == "BAD_FILTER";
  view->filter_fault = bad_filter ? FirstLine(seen.status()) : std::string();
  if (seen.ok()) {
    *snapshot = *std::move(seen);
  } else if (!bad_filter) {
    snapshot->fault = FirstLine(seen.status());
  }
}

absl::StatusOr<ExitCode> Run(Context& context) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  Source source(client);
  TopView view;
  // What can't work is said before the screen is taken.
  DET_ASSIGN_OR_RETURN(TopSnapshot snapshot, source.Look(view));
  if (!context.OutTerminal().redraw) {
    return UsageError("det top needs a terminal",
                      "det status, det t list --live and det j list print the same");
  }
  Keyboard keyboard;
  if (!keyboard.ready()) {
    return UsageError("det top needs a terminal to read keys from",
                      "det t list --live --watch only prints");
  }
  absl::Time looked = absl::Now();
  while (true) {
    const Terminal terminal = context.OutTerminal();
    Draw(context, TopScreen(snapshot, view, terminal, context.Now()));
    const absl::Duration left = looked + kEvery - absl::Now();
    const std::string key = keyboard.Next(std::max(left, absl::ZeroDuration()));
    const std::string filter = view.typing ? std::string() : view.filter;
    const TopView::Pane pane = view.pane;
    if (!key.empty() && !OnKey(key, RowsOf(snapshot, view), terminal.height - 6, &view)) break;
    const bool changed = (view.typing ? std::string() : view.filter) != filter || view.pane != pane;
    if (!changed && absl::Now() < looked + kEvery) continue;
    Refresh(source, &view, &snapshot);
    looked = absl::Now();
  }
  return ExitCode::kOk;
}

}  // namespace

Command TopCommand() {
  return {.verb = "top",
          .summary = "Watch the cluster: slots, the queue, and what runs, on a screen of its own.",
          .details =
              "Keys: q ends; 1, 2, 3 and tab choose trials, queue or agents; arrows, j and k "
              "move; / filters, as --filter does in lists.",
          .examples = {{"det top", "what is going on?"}},
          .run = Run};
}

}  // namespace det::cli
