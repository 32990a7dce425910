#include "cli/follow/changes.h"

#include <algorithm>
#include <cmath>

#include "cli/format/quantity.h"
#include "common/base/strings.h"

namespace det::cli::follow {
namespace {

const TrialSnapshot* Find(const std::vector<TrialSnapshot>& trials, int64_t id) {
  const auto at = std::find_if(
      trials.begin(), trials.end(), [&](const TrialSnapshot& trial) { return trial.id == id; });
  return at == trials.end() ? nullptr : &*at;
}

std::string StateLine(const Snapshot& snapshot) {
  std::string line = StrCat("state ", snapshot.state);
  if (!snapshot.reason.empty()) StrAppend(line, ": ", snapshot.reason);
  return line;
}

std::string Introduction(const Snapshot& snapshot) {
  std::string line = StrCat("state ", snapshot.state);
  if (!snapshot.name.empty()) StrAppend(line, ", ", snapshot.name);
  if (!snapshot.searcher.empty()) StrAppend(line, ", searcher ", snapshot.searcher);
  if (!snapshot.metric.empty()) StrAppend(line, ", metric ", snapshot.metric);
  return line;
}

std::string BestLine(const Snapshot& snapshot) {
  std::string line = StrCat("best ", snapshot.metric, " ", MetricText(*snapshot.best_metric));
  if (snapshot.best_trial.has_value()) {
    StrAppend(line, " by trial ", *snapshot.best_trial, " at ", snapshot.best_steps, " batches");
  }
  return line;
}

void AddTrialLines(const std::vector<TrialSnapshot>& before,
                   const Snapshot& after,
                   std::vector<std::string>* lines) {
  for (const TrialSnapshot& trial : after.running) {
    const TrialSnapshot* was = Find(before, trial.id);
    if (was != nullptr && was->state == trial.state) continue;
    std::string line = StrCat("trial ", trial.id, " ", trial.state);
    if (!trial.agent.empty()) StrAppend(line, " on ", trial.agent);
    if (was == nullptr && !trial.hparams.empty()) StrAppend(line, ", ", trial.hparams);
    lines->push_back(std::move(line));
  }
  for (const TrialSnapshot& trial : before) {
    if (Find(after.running, trial.id) != nullptr) continue;
    lines->push_back(StrCat("trial ", trial.id, " has left its slots"));
  }
}

int Tenth(double progress) {
  return std::isfinite(progress) ? static_cast<int>(std::clamp(progress, 0.0, 1.0) * 10 + 1e-9) : 0;
}

std::string ProgressLine(const Snapshot& snapshot) {
  return StrCat(PercentText(snapshot.progress),
                " of the search, ",
                snapshot.trials_closed,
                " of ",
                Count(snapshot.trials_created, "trial"),
                " done");
}

}  // namespace

std::vector<std::string> NoteworthyChanges(const std::optional<Snapshot>& before,
                                           const Snapshot& after) {
  std::vector<std::string> lines;
  if (!before.has_value()) lines.push_back(Introduction(after));
  AddTrialLines(before.has_value() ? before->running : std::vector<TrialSnapshot>(), after, &lines);
  const bool new_best = after.best_metric.has_value() &&
                        (!before.has_value() || before->best_metric != after.best_metric ||
                         before->best_trial != after.best_trial);
  if (new_best) lines.push_back(BestLine(after));
  if (Tenth(after.progress) > (before.has_value() ? Tenth(before->progress) : 0)) {
    lines.push_back(ProgressLine(after));
  }
  if (before.has_value() && before->state != after.state) lines.push_back(StateLine(after));
  const std::string prefix = StrCat("experiment ", after.experiment, ": ");
  for (std::string& line : lines) line.insert(0, prefix);
  return lines;
}

}  // namespace det::cli::follow
