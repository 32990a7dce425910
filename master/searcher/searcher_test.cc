#include "master/searcher/searcher.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/base/archive.h"
#include "common/json/json.h"
#include "common/rng/counter_rng.h"
#include "master/searcher/preview.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"

namespace det::searcher {
namespace {

struct Search {
  spec::SearcherSpec searcher;
  spec::HparamMap space;
  uint64_t seed = 1;
  State state;
  std::map<RequestId, Value> created;
  std::deque<RequestId> running;
  std::map<RequestId, std::string> stopped;
  std::optional<Shutdown> shutdown;

  explicit Search(
      const char* json,
      const char* space_json = R"({"x": {"type": "double", "minval": 0, "maxval": 1}})") {
    Problems problems;
    searcher = spec::ParseSearcher(*ParseJson(json), "searcher", &problems);
    space = spec::ParseHparams(*ParseJson(space_json), "hyperparameters", &problems);
    for (const auto& problem : problems) {
      if (problem.severity == Problem::Severity::kError)
        ADD_FAILURE() << problem.path << " " << problem.message;
    }
    state = MakeState(config());
    Take(Start(config(), state));
  }
  Config config() const { return {searcher, space, seed}; }

  void Take(const Step& step) {
    for (const Fact& fact : step.facts) Apply(config(), state, fact);
    for (const Operation& operation : step.operations) {
      if (const auto* create = std::get_if<Create>(&operation)) {
        ASSERT_TRUE(created.emplace(create->request, create->hparams).second);
        running.push_back(create->request);
      } else if (const auto* stop = std::get_if<Stop>(&operation)) {
        stopped[stop->request] = stop->why;
      } else {
        ASSERT_FALSE(shutdown.has_value());
        shutdown = std::get<Shutdown>(operation);
      }
    }
  }
  void Validate(RequestId request, double time, double metric) {
    Take(OnValidation(config(), state, {request, time, metric}));
  }
  void Exit(RequestId request, ExitKind kind = ExitKind::kCompleted) {
    std::erase(running, request);
    Take(OnExit(config(), state, request, kind));
  }
  std::string CreatedText() const {
    std::string text;
    for (const auto& [request, hparams] : created) text += hparams.ToJson();
    return text;
  }
};

constexpr char kHalving[] =
    R"({"name": "async_halving", "metric": "loss", "num_rungs": 3, "max_trials": 9, "divisor": 3,
        "max_concurrent_trials": 3, "time_metric": "batches", "max_time": 9})";

TEST(Random, KeepsConcurrencyUntilMaxTrials) {
  Search search(
      R"({"name": "random", "metric": "loss", "max_trials": 5, "max_concurrent_trials": 2})");
  EXPECT_EQ(search.running.size(), 2U);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(search.shutdown.has_value());
    search.Exit(search.running.front());
  }
  EXPECT_EQ(search.created.size(), 5U);
  ASSERT_TRUE(search.shutdown.has_value());
  EXPECT_FALSE(search.shutdown->failed);
  EXPECT_EQ(Progress(search.config(), search.state, 0), 1);
}

// Whatever is asked for, the trials that are open at a time are bounded: one event never leads to
// more than the first step does.
TEST(Searcher, OpenTrialsAreBounded) {
  constexpr auto kMost = static_cast<size_t>(spec::kOpenTrialsMax);
  const char* grid = R"({"x": {"type": "double", "minval": 0, "maxval": 1, "count": 1000000}})";
  const char* plain = R"({"x": {"type": "double", "minval": 0, "maxval": 1}})";
  const std::pair<const char*, const char*> cases[] = {
      {R"({"name": "random", "metric": "loss", "max_trials": 1000000, "max_concurrent_trials": 0})",
       plain},
      {R"({"name": "random", "metric": "loss", "max_trials": 1000000,
           "max_concurrent_trials": 100000})",
       plain},
      {R"({"name": "grid", "metric": "loss", "max_concurrent_trials": 0})", grid},
      {R"({"name": "async_halving", "metric": "loss", "num_rungs": 20, "max_trials": 1000000,
           "divisor": 4, "max_concurrent_trials": 0, "time_metric": "batches", "max_time": 100})",
       plain},
      {R"({"name": "adaptive_asha", "metric": "loss", "mode": "conservative", "max_rungs": 50,
           "max_trials": 1000000, "divisor": 2, "max_concurrent_trials": 0,
           "time_metric": "batches", "max_time": 1000000})",
       plain}};
  for (const auto& [json, space] : cases) {
    SCOPED_TRACE(json);
    Search search(json, space);
    EXPECT_LE(search.running.size(), kMost);
    EXPECT_GE(search.running.size(), 10U);
    for (int i = 0; i < 50; ++i) search.Exit(search.running[static_cast<size_t>(i) % 7]);
    // Stopped trials that don't leave hold their place.
    const auto open = search.running;
    for (const RequestId request : open) {
      for (int t : {1, 2}) search.Validate(request, t, static_cast<double>(request.index));
    }
    EXPECT_LE(search.running.size(), kMost);
    EXPECT_FALSE(search.shutdown.has_value());
  }
}

TEST(Searcher, ASearchWiderThanItsBoundMakesAllItsTrials) {
  for (const char* json :
       {R"({"name": "random", "metric": "loss", "max_trials": 1500, "max_concurrent_trials": 0})",
        R"({"name": "async_halving", "metric": "loss", "num_rungs": 10, "max_trials": 1500,
            "divisor": 4, "max_concurrent_trials": 0, "time_metric": "batches", "max_time": 9})"}) {
    Search search(json);
    EXPECT_EQ(search.running.size(), static_cast<size_t>(spec::kOpenTrialsMax));
    while (!search.running.empty()) {
      const RequestId request = search.running.front();
      search.Validate(request, 1, static_cast<double>(request.index));
      search.Exit(request);
    }
    EXPECT_EQ(search.created.size(), 1500U);
    EXPECT_TRUE(search.shutdown.has_value());
  }
}

// As many as may be open: the places of stopped trials are taken when they leave.
TEST(AsyncHalving, TakesThePlacesOfStoppedTrialsWhenTheyLeave) {
  Search search(
      R"({"name": "async_halving", "metric": "loss", "num_rungs": 10, "max_trials": 1500,
          "divisor": 4, "max_concurrent_trials": 0, "time_metric": "batches", "max_time": 9})");
  search.Validate({.index = 0}, 1, 0.1);
  search.Validate({.index = 1}, 1, 0.9);
  ASSERT_TRUE(search.stopped.contains({.index = 1}));
  EXPECT_EQ(search.created.size(), 1000U);
  search.Exit({.index = 1});
  EXPECT_EQ(search.created.size(), 1001U);
}

TEST(Random, ZeroConcurrencyIsAsWideAsMayBe) {
  Search search(
      R"({"name": "random", "metric": "loss", "max_trials": 40, "max_concurrent_trials": 0})");
  EXPECT_EQ(search.running.size(), 40U);
}

TEST(Random, InvalidHparamsAreReplacedButNotForEver) {
  Search search(R"({"name": "random", "metric": "loss", "max_trials": 3})");
  while (!search.running.empty()) search.Exit(search.running.front(), ExitKind::kInvalidHparams);
  EXPECT_EQ(search.created.size(), 6U);
  EXPECT_TRUE(search.shutdown->failed);
}

TEST(Single, IsOneTrial) {
  Search search(R"({"name": "single", "metric": "loss"})");
  EXPECT_EQ(search.running.size(), 1U);
  search.Exit({}, ExitKind::kErrored);
  EXPECT_TRUE(search.shutdown->failed);
}

TEST(Searcher, FailsOnlyWhenEveryTrialFailed) {
  Search search(R"({"name": "random", "metric": "loss", "max_trials": 2})");
  search.Exit({.index = 0}, ExitKind::kErrored);
  search.Exit({.index = 1});
  EXPECT_FALSE(search.shutdown->failed);
  Search canceled(R"({"name": "random", "metric": "loss", "max_trials": 2})");
  canceled.Exit({.index = 0}, ExitKind::kCanceled);
  canceled.Exit({.index = 1}, ExitKind::kCanceled);
  EXPECT_TRUE(canceled.shutdown->canceled);
}

TEST(Grid, WalksTheProductFromItsEnd) {
  Search search(R"({"name": "grid", "metric": "loss", "max_concurrent_trials": 1})",
                R"({"a": {"type": "categorical", "vals": ["x", "y"]},
                    "b": {"type": "int", "minval": 1, "maxval": 3, "count": 3}})");
  while (!search.running.empty()) search.Exit(search.running.front());
  EXPECT_EQ(
      search.CreatedText(),
      R"({"a":"y","b":3}{"a":"y","b":2}{"a":"y","b":1}{"a":"x","b":3}{"a":"x","b":2}{"a":"x","b":1})");
  EXPECT_TRUE(search.shutdown.has_value());
}

// The published test vectors of the reference platform (see its adaptive_asha tests).
TEST(AdaptiveAsha, BracketTables) {
  using V = std::vector<int64_t>;
  EXPECT_EQ(BracketTrials(20, 3, {3, 2, 1}), (V{12, 5, 3}));
  EXPECT_EQ(BracketTrials(50, 3, {4, 3}), (V{35, 15}));
  EXPECT_EQ(BracketTrials(50, 4, {3, 2}), (V{37, 13}));
  EXPECT_EQ(BracketTrials(100, 4, {4, 3, 2}), (V{70, 22, 8}));
  EXPECT_EQ(BracketConcurrency(0, 3, {9, 3, 1}), (V{3, 3, 3}));
  EXPECT_EQ(BracketConcurrency(11, 3, {9, 3, 1}), (V{4, 4, 3}));
  EXPECT_EQ(BracketConcurrency(0, 4, {40, 10}), (V{10, 10}));
}

TEST(AdaptiveAsha, BracketsByMode) {
  using V = std::vector<int64_t>;
  EXPECT_EQ(AshaBrackets({.max_trials = 10, .max_time = 100}), (V{2, 1}));
  EXPECT_EQ(AshaBrackets({.max_trials = 10,
                          .mode = spec::AshaMode::kConservative,
                          .divisor = 3,
                          .max_time = 1000}),
            (V{3, 2, 1}));
  EXPECT_EQ(
      AshaBrackets({.max_trials = 1000, .mode = spec::AshaMode::kAggressive, .max_time = 1000}),
      (V{5}));
  EXPECT_EQ(AshaBrackets({.max_trials = 10, .bracket_rungs = {1, 3, 2}, .max_time = 9}),
            (V{3, 2, 1}));
  Search search(
      R"({"name": "adaptive_asha", "metric": "loss", "max_trials": 10, "mode": "conservative",
                    "divisor": 3, "max_concurrent_trials": 5, "time_metric": "batches", "max_time": 1000})");
  const auto& brackets = std::get<TournamentState>(search.state.method).brackets;
  ASSERT_EQ(brackets.size(), 3U);
  EXPECT_EQ(brackets[0].max_trials, 7);
  EXPECT_EQ(brackets[0].first_trials, 2);
  EXPECT_EQ(brackets[1].max_trials, 2);
  EXPECT_EQ(brackets[1].first_trials, 2);
  EXPECT_EQ(brackets[2].max_trials, 1);
  EXPECT_EQ(brackets[2].first_trials, 1);
}

// Worked by hand from the stopping rule: rungs at 1, 3, 9 batches, a third goes on.
TEST(AsyncHalving, StopsByRank) {
  Search search(kHalving);
  const RequestId a{.index = 0};
  const RequestId b{.index = 1};
  const RequestId c{.index = 2};
  search.Validate(a, 1, 0.5);  // alone: the best 1 of 1
  EXPECT_EQ(search.stopped.size(), 0U);
  search.Validate(b, 1, 0.6);  // 2nd of 2, one goes on
  ASSERT_TRUE(search.stopped.contains(b));
  EXPECT_EQ(search.stopped[b], "not among the best 1 of 2 trials at rung 1 of 3 (1 units of time)");
  EXPECT_EQ(search.created.size(), 4U);  // its place was taken at once
  search.Validate(c, 1, 0.4);            // 1st of 3
  EXPECT_FALSE(search.stopped.contains(c));
  search.Validate(a, 2, 0.3);  // between rungs: nothing
  search.Validate(a, 3, 0.3);  // first in rung 2
  search.Validate(a, 9, 0.2);  // the last rung
  EXPECT_EQ(search.stopped[a], "reached the last rung, 9 units of time");
  search.Validate(a, 10, 0.1);  // ignored: it was told to stop
  EXPECT_EQ(search.created.size(), 5U);
}

TEST(AsyncHalving, OneReportMayPassSeveralRungs) {
  Search search(kHalving);
  search.Validate({}, 3, 0.5);
  const auto& rungs = std::get<TournamentState>(search.state.method).brackets[0].rungs;
  EXPECT_EQ(rungs[0].size(), 1);
  EXPECT_EQ(rungs[1].size(), 1);
  EXPECT_EQ(rungs[2].size(), 0);
}

TEST(AsyncHalving, LargerIsBetterAndNaNIsWorst) {
  Search search(
      R"({"name": "async_halving", "metric": "acc", "smaller_is_better": false, "num_rungs": 2,
          "max_trials": 9, "divisor": 3, "max_concurrent_trials": 4, "time_metric": "batches", "max_time": 9})");
  search.Validate({.index = 0}, 3, 0.5);
  search.Validate({.index = 1}, 3, std::nan(""));
  EXPECT_TRUE(search.stopped.contains({.index = 1}));
  search.Validate({.index = 2}, 3, 0.9);
  EXPECT_FALSE(search.stopped.contains({.index = 2}));
}

TEST(AsyncHalving, ErrorsCountAsWorstAndInvalidLeavesNoTrace) {
  Search search(kHalving);
  search.Validate({.index = 0}, 1, 0.9);
  search.Exit({.index = 0}, ExitKind::kInvalidHparams);
  const auto& bracket = std::get<TournamentState>(search.state.method).brackets[0];
  EXPECT_EQ(bracket.rungs[0].size(), 0);
  search.Exit({.index = 1}, ExitKind::kErrored);
  EXPECT_EQ(bracket.rungs[0].size(), 1);
  search.Validate({.index = 2}, 1, 1e9);  // better than a failure
  EXPECT_FALSE(search.stopped.contains({.index = 2}));
}

// docs/differences.md
TEST(AsyncHalving, ATrialThatLeavesByItselfIsReplaced) {
  Search search(
      R"({"name": "async_halving", "metric": "loss", "num_rungs": 2, "max_trials": 5, "divisor": 3,
          "max_concurrent_trials": 1, "time_metric": "batches", "max_time": 9})");
  search.Validate({.index = 0}, 3, 0.5);
  while (!search.running.empty()) search.Exit(search.running.front());
  EXPECT_EQ(search.created.size(), 5U);
  EXPECT_FALSE(search.shutdown->failed);
  const auto& rungs = std::get<TournamentState>(search.state.method).brackets[0].rungs;
  EXPECT_EQ(rungs[0].size(), 1);  // the others reached none
}

TEST(AsyncHalving, InvalidHparamsAreReplacedButNotForEver) {
  Search search(
      R"({"name": "async_halving", "metric": "loss", "num_rungs": 2, "max_trials": 5, "divisor": 3,
          "max_concurrent_trials": 2, "time_metric": "batches", "max_time": 9})");
  while (!search.running.empty()) search.Exit(search.running.front(), ExitKind::kInvalidHparams);
  EXPECT_EQ(search.created.size(), 10U);
  EXPECT_TRUE(search.shutdown->failed);
  Search grid(R"({"name": "grid", "metric": "loss"})",
              R"({"x": {"type": "int", "minval": 1, "maxval": 3, "count": 3}})");
  while (!grid.running.empty()) grid.Exit(grid.running.front(), ExitKind::kInvalidHparams);
  EXPECT_EQ(grid.created.size(), 3U);
}

TEST(Preview, FirstRequestsAreThoseOfTheStart) {
  const char* grid = R"({"x": {"type": "double", "minval": 0, "maxval": 1, "count": 1000000}})";
  for (const char* json :
       {R"({"name": "random", "metric": "loss", "max_trials": 3})",
        R"({"name": "grid", "metric": "loss", "max_concurrent_trials": 0})",
        R"({"name": "adaptive_asha", "metric": "loss", "max_trials": 10, "mode": "conservative",
            "divisor": 3, "max_concurrent_trials": 5, "time_metric": "batches",
            "max_time": 1000})"}) {
    Search search(json, grid);
    const auto first = FirstRequests(search.config(), 4);
    ASSERT_EQ(first.size(), std::min<size_t>(4, search.created.size()));
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(first[i], search.running[i]);
      EXPECT_EQ(Point(search.config(), first[i]), search.created.at(first[i]));
    }
  }
}

TEST(Preview, CountsTrialsByRung) {
  Search search(kHalving);
  std::string text;
  for (const PlannedTrials& planned : Preview(search.config())) {
    text += std::to_string(planned.trials) + " x " + std::to_string(planned.units) + " " +
            planned.time_metric + "; ";
  }
  EXPECT_EQ(text, "6 x 1 batches; 2 x 3 batches; 1 x 9 batches; ");
}

// The rung against its definition: a sorted list.
RC_GTEST_PROP(Rung, AgreesWithASortedList, (const std::vector<std::pair<int, int>>& operations)) {
  const double divisor = 2 + *rc::gen::inRange(0, 30) / 10.0;
  Rung rung(1, divisor);
  std::vector<std::pair<double, int64_t>> model;
  int64_t next = 0;
  for (const auto& [what, number] : operations) {
    const double metric = number % 8;
    if (what % 4 == 0 && !model.empty()) {
      const size_t victim = static_cast<size_t>(std::abs(number)) % model.size();
      rung.Remove(model[victim].first, model[victim].second);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(victim));
      continue;
    }
    const auto better =
        std::count_if(model.begin(), model.end(), [&](const auto& x) { return x.first < metric; });
    const auto passing =
        std::max<int64_t>(static_cast<int64_t>(static_cast<double>(model.size() + 1) / divisor), 1);
    RC_ASSERT(rung.WouldPass(metric) == (better < passing));
    rung.Insert(metric, next);
    model.emplace_back(metric, next++);
    RC_ASSERT(rung.size() == static_cast<int64_t>(model.size()));
  }
}

// Runs a search with trials whose loss is a function of their point, in an order drawn from
// `order`.
void RunToEnd(Search& search, uint64_t order, double error_rate) {
  const CounterRng rng(order, 1);
  std::map<RequestId, int64_t> time;
  for (uint64_t n = 0; !search.running.empty(); ++n) {
    const RequestId request = search.running[rng.Below(search.running.size(), 3 * n)];
    if (search.stopped.contains(request)) {
      search.Exit(request);
    } else if (rng.Uniform(3 * n + 1) < error_rate) {
      search.Exit(request, rng.Uniform(3 * n + 2) < 0.5 ? ExitKind::kErrored : ExitKind::kCanceled);
    } else {
      const double x = search.created.at(request).Find("x")->as_double();
      const int64_t t = ++time[request];
      search.Validate(request, static_cast<double>(t), x + 1.0 / static_cast<double>(t));
      ASSERT_LE(t, 16);
    }
    const double progress = Progress(search.config(), search.state, 0);
    ASSERT_GE(progress, 0);
    ASSERT_LE(progress, 1);
  }
}

constexpr char kAdaptive[] =
    R"({"name": "adaptive_asha", "metric": "loss", "max_trials": 40, "mode": "conservative", "divisor": 2,
        "max_concurrent_trials": 7, "time_metric": "batches", "max_time": 16})";

RC_GTEST_PROP(AdaptiveAsha, EndsWithTheSameTrialsInEveryOrder, (uint64_t order)) {
  Search search(kAdaptive);
  RunToEnd(search, order, 0.02);
  RC_ASSERT(search.shutdown.has_value());
  RC_ASSERT(search.created.size() == 40U);
  Search other(kAdaptive);
  RunToEnd(other, order + 1, 0.02);
  RC_ASSERT(search.CreatedText() == other.CreatedText());
}

RC_GTEST_PROP(AdaptiveAsha, StateSurvivesItsArchive, (uint64_t order)) {
  Search search(kAdaptive);
  RunToEnd(search, order, 0.1);
  State copy;
  RC_ASSERT(DecodeArchive(EncodeArchive(search.state), &copy));
  RC_ASSERT(ArchiveHash(copy) == ArchiveHash(search.state));
}

// What early stopping is for: far less work than running every trial to the end, and a good winner.
TEST(AdaptiveAsha, SpendsLessAndFindsAGoodPoint) {
  Search search(kAdaptive);
  RunToEnd(search, 3, 0);
  double best = 1;
  double found = 1;
  for (const auto& [request, hparams] : search.created) {
    const double x = hparams.Find("x")->as_double();
    best = std::min(best, x);
    if (search.stopped[request].starts_with("reached the last")) found = std::min(found, x);
  }
  EXPECT_LT(found, best + 0.05);
}

}  // namespace
}  // namespace det::searcher
