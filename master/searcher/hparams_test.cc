#include "master/searcher/hparams.h"

#include <set>

#include <gtest/gtest.h>

#include "common/json/json.h"
#include "master/spec/parse.h"

namespace det::searcher {
namespace {

spec::HparamMap Space(const char* json) {
  Problems problems;
  spec::HparamMap map = spec::ParseHparams(*ParseJson(json), "hyperparameters", &problems);
  for (const Problem& problem : problems) ADD_FAILURE() << problem.path << problem.message;
  return map;
}

const spec::Hparam& Only(const spec::HparamMap& map) {
  return map.begin()->second;
}

TEST(Hparams, SampleIsAFunctionOfSeedAndRequest) {
  const spec::HparamMap space = Space(R"({
      "lr": {"type": "log", "minval": -4, "maxval": -1, "base": 10},
      "width": {"type": "int", "minval": 8, "maxval": 64},
      "net": {"dropout": {"type": "double", "minval": 0, "maxval": 0.5}, "kind": "conv"},
      "act": {"type": "categorical", "vals": ["relu", "gelu"]}})");
  const Value a = Sample(space, 7, {.bracket = 1, .index = 2});
  EXPECT_EQ(a, Sample(space, 7, {.bracket = 1, .index = 2}));
  EXPECT_NE(a.ToJson(), Sample(space, 7, {.bracket = 1, .index = 3}).ToJson());
  EXPECT_NE(a.ToJson(), Sample(space, 7, {.bracket = 0, .index = 2}).ToJson());
  EXPECT_NE(a.ToJson(), Sample(space, 8, {.bracket = 1, .index = 2}).ToJson());
  EXPECT_EQ(a.FindPath("net.kind")->as_string(), "conv");
}

// Points are part of what a seed promises: this text may never change.
TEST(Hparams, PointsOfASeedAreFixed) {
  const spec::HparamMap space = Space(R"({
      "lr": {"type": "log", "minval": -4, "maxval": -1, "base": 10},
      "width": {"type": "int", "minval": 8, "maxval": 64},
      "dropout": {"type": "double", "minval": 0, "maxval": 0.5},
      "act": {"type": "categorical", "vals": ["relu", "gelu", "tanh"]}})");
  EXPECT_EQ(Sample(space, 42, {}).ToJson(),
            R"({"act":"gelu","dropout":0.10392419472879455,"lr":0.019116329602104853,"width":48})");
  EXPECT_EQ(TrialSeed(42, {}), 82359604U);
}

TEST(Hparams, AParameterDoesNotDependOnItsNeighbours) {
  const Value with =
      Sample(Space(R"({"a": {"type": "double", "minval": 0, "maxval": 1}, "b": 1})"), 3, {});
  const Value without =
      Sample(Space(R"({"a": {"type": "double", "minval": 0, "maxval": 1}})"), 3, {});
  EXPECT_EQ(*with.Find("a"), *without.Find("a"));
}

TEST(Hparams, IntegersReachBothEndsEvenly) {
  const spec::HparamMap space = Space(R"({"n": {"type": "int", "minval": -1, "maxval": 2}})");
  std::map<int64_t, int> counts;
  for (int64_t i = 0; i < 8000; ++i) ++counts[Sample(space, 1, {.index = i}).Find("n")->as_int()];
  ASSERT_EQ(counts.size(), 4U);
  for (const auto& [value, count] : counts) EXPECT_NEAR(count, 2000, 200) << value;
}

TEST(Hparams, Scales) {
  const spec::Hparam log =
      Only(Space(R"({"x": {"type": "double", "minval": 1, "maxval": 100, "scale": "log"}})"));
  EXPECT_NEAR(FromUnit(log, 0.5).as_double(), 10, 1e-12);
  EXPECT_EQ(FromUnit(log, 0).as_double(), 1);
  const spec::Hparam reverse = Only(
      Space(R"({"x": {"type": "double", "minval": 1, "maxval": 100, "scale": "reverse_log"}})"));
  EXPECT_NEAR(FromUnit(reverse, 0.5).as_double(), 91, 1e-12);
  const spec::Hparam step =
      Only(Space(R"({"x": {"type": "double", "minval": 0, "maxval": 1, "step": 0.25}})"));
  std::set<double> seen;
  for (double u = 0; u < 1; u += 0.01) seen.insert(FromUnit(step, u).as_double());
  EXPECT_EQ(seen, (std::set<double>{0, 0.25, 0.5, 0.75, 1}));
  const spec::Hparam stepped = Only(
      Space(R"({"x": {"type": "int", "minval": 16, "maxval": 64, "step": 16, "scale": "log"}})"));
  std::set<int64_t> widths;
  for (double u = 0; u < 1; u += 0.01) widths.insert(FromUnit(stepped, u).as_int());
  EXPECT_EQ(widths, (std::set<int64_t>{16, 32, 48, 64}));
  const spec::Hparam discrete = Only(Space(R"({"x": {"type": "discrete", "vals": [64, 16, 32]}})"));
  EXPECT_EQ(FromUnit(discrete, 0).as_int(), 16);
  EXPECT_EQ(FromUnit(discrete, 0.99).as_int(), 64);
}

TEST(Hparams, ConditionsDecideWhatATrialHas) {
  const spec::HparamMap space = Space(R"({
      "opt": {"type": "categorical", "vals": ["sgd", "adam"]},
      "momentum": {"type": "double", "minval": 0, "maxval": 1, "when": {"opt": ["sgd"]}}})");
  int with = 0;
  for (int64_t i = 0; i < 200; ++i) {
    const Value point = Sample(space, 5, {.index = i});
    EXPECT_EQ(point.Find("momentum") != nullptr, point.Find("opt")->as_string() == "sgd");
    with += point.Find("momentum") != nullptr ? 1 : 0;
  }
  EXPECT_GT(with, 50);
  EXPECT_LT(with, 150);
}

TEST(Hparams, GridAxesAsDeterminedHasThem) {
  const spec::HparamMap space = Space(R"({
      "b": {"type": "int", "minval": 0, "maxval": 10, "count": 3},
      "a": {"c": {"type": "double", "minval": 0, "maxval": 1, "count": 2},
            "d": {"type": "log", "minval": -3, "maxval": -1, "base": 10, "count": 3}, "e": {}},
      "z": {"type": "int", "minval": 0, "maxval": 2, "count": 9},
      "one": {"type": "int", "minval": 0, "maxval": 5, "count": 1},
      "list": [1, 2]})");
  const std::vector<Axis> axes = GridAxes(space);
  std::string text;
  for (const Axis& axis : axes) {
    for (const std::string& part : axis.path) text += "/" + part;
    Value::Array values;
    for (int64_t i = 0; i < axis.size; ++i) values.push_back(AxisValue(axis, i));
    text += "=" + Value(std::move(values)).ToJson() + " ";
  }
  EXPECT_EQ(text,
            "/a/c=[0.0,1.0] /a/d=[0.001,0.01,0.1] /a/e=[{}] /b=[0,5,10] /list=[[1,2]] /one=[3] "
            "/z=[0,1,2] ");
}

}  // namespace
}  // namespace det::searcher
