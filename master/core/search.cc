#include "common/base/overload.h"
#include "common/base/strings.h"
#include "master/core/internal.h"

namespace det::core::internal {
namespace {

bool Accepts(const Experiment& experiment) {
  return experiment.state == ExperimentState::kActive ||
         experiment.state == ExperimentState::kPaused;
}

class Expander {
 public:
  Expander(const State& state, const Experiment& experiment, absl::Time now, Events* events)
      : state_(state), experiment_(experiment), now_(now), ids_(state), events_(events) {}

  bool metric_reported = false;

  // One event for all facts; the trials that they ask for get their ids here.
  void Record(std::vector<searcher::Fact> facts) {
    if (facts.empty()) return;
    for (const searcher::Fact& fact : facts) {
      if (std::holds_alternative<searcher::Requested>(fact)) trials_.push_back(ids_.Trial());
    }
    events_->push_back(SearchAdvanced{.id = experiment_.id,
                                      .facts = std::move(facts),
                                      .trials = trials_,
                                      .metric_reported = metric_reported});
  }

  void operator()(const searcher::Create& create) {
    const spec::ResourcesSpec& resources = experiment_.spec->resources;
    const TrialId trial = trials_[created_++];
    const TaskId task = ids_.Task();
    events_->push_back(TrialCreated{.id = trial,
                                    .experiment = experiment_.id,
                                    .task = task,
                                    .request = create.request,
                                    .hparams = create.hparams,
                                    .seed = create.seed,
                                    .source_checkpoint = experiment_.source_checkpoint,
                                    .reason = Why("CREATED", "created by the search")});
    events_->push_back(TaskCreated{.id = task,
                                   .trial = trial,
                                   .request = {.task = task,
                                               .job = experiment_.id,
                                               .pool = resources.resource_pool,
                                               .slots = resources.slots_per_trial}});
  }

  void operator()(const searcher::Stop& stop) {
    const auto open = experiment_.open_trials.find(stop.request);
    const Trial* trial =
        open == experiment_.open_trials.end() ? nullptr : state_.Find(open->second);
    if (trial == nullptr || trial->state != TrialState::kActive) return;
    events_->push_back(TrialMoved{.id = trial->id,
                                  .to = TrialState::kStoppingCompleted,
                                  .reason = Why("STOPPED_BY_SEARCH", stop.why)});
  }

  void operator()(const searcher::Shutdown& shutdown) {
    if (!Accepts(experiment_)) return;
    ExperimentMoved moved{.id = experiment_.id,
                          .to = ExperimentState::kStoppingCompleted,
                          .reason = Why("SEARCH_DONE", "the search is complete")};
    if (shutdown.failed) {
      moved.to = ExperimentState::kStoppingError;
      moved.reason = Why("ALL_TRIALS_FAILED", StrCat("every trial failed", LastFailure()));
    } else if (shutdown.canceled) {
      moved.to = ExperimentState::kStoppingCanceled;
      moved.reason = Why("ALL_TRIALS_CANCELED", "every trial was canceled");
    } else if (!experiment_.metric_reported && !experiment_.best.has_value() && !metric_reported) {
      WithoutMetric(&moved);
    }
    events_->push_back(std::move(moved));
  }

 private:
  // Of the trials that are not closed yet, among which is the one that made the search end.
  std::string LastFailure() const {
    for (const auto& [request, id] : experiment_.open_trials) {
      const Trial* trial = state_.Find(id);
      if (trial == nullptr || trial->state != TrialState::kError) continue;
      return StrCat("; trial ", id.value(), ": ", trial->reason.text);
    }
    return "";
  }

  // A search that measured nothing found nothing. A single trial may have other uses.
  void WithoutMetric(ExperimentMoved* moved) const {
    const spec::SearcherSpec& searcher = experiment_.spec->searcher;
    const std::string metric = QuoteJson(searcher.metric);
    if (std::holds_alternative<spec::SingleSpec>(searcher.method)) {
      StrAppend(moved->reason.text, "; no validation of ", metric, " was reported");
      return;
    }
    moved->to = ExperimentState::kStoppingError;
    moved->reason = Why("NO_METRIC",
                        StrCat("no trial ever reported ",
                               metric,
                               ", which the search compares its trials by: report it as "
                               "validation metric ",
                               metric,
                               ", see docs/trial-contract.md"));
  }

  Reason Why(std::string_view code, std::string text) const {
    return MakeReason(code, std::move(text), "searcher", now_);
  }

  const State& state_;
  const Experiment& experiment_;
  const absl::Time now_;
  IdSource ids_;
  std::vector<TrialId> trials_;
  size_t created_ = 0;
  Events* events_;
};

}  // namespace

void AppendSearch(const State& state,
                  const Experiment& experiment,
                  SearchNews news,
                  absl::Time now,
                  Events* events) {
  searcher::Step& step = news.step;
  // An experiment that is ending asks for no more trials.
  if (!Accepts(experiment)) {
    std::erase_if(step.facts, [](const searcher::Fact& fact) {
      return std::holds_alternative<searcher::Requested>(fact);
    });
    std::erase_if(step.operations, [](const searcher::Operation& operation) {
      return std::holds_alternative<searcher::Create>(operation);
    });
  }
  Expander expand(state, experiment, now, events);
  expand.metric_reported = news.metric_reported;
  expand.Record(std::move(step.facts));
  for (const searcher::Operation& operation : step.operations) std::visit(expand, operation);
}

}  // namespace det::core::internal
