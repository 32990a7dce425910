#include "master/gc/retention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace det::gc {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Checkpoint Make(int64_t trial,
                const std::string& uuid,
                int64_t steps,
                std::optional<double> metric) {
  return {
      .trial = TrialId(trial), .uuid = uuid, .steps = steps, .reported = steps, .metric = metric};
}

std::string Going(const std::vector<Checkpoint>& all, const Policy& policy, bool smaller = true) {
  std::string out;
  for (const size_t i : PlanDeletion(all, policy, smaller)) out += all[i].uuid;
  return out;
}

// Two trials of three checkpoints each.
std::vector<Checkpoint> Two() {
  return {Make(1, "a", 10, 0.5),
          Make(1, "b", 20, 0.1),
          Make(1, "c", 30, 0.3),
          Make(2, "d", 10, 0.2),
          Make(2, "e", 20, 0.4),
          Make(2, "f", 30, 0.6)};
}

TEST(Retention, ByHand) {
  EXPECT_EQ(Going(Two(), {0, 1, 1}), "ae");          // best b, d; newest c, f
  EXPECT_EQ(Going(Two(), {0, 1, 1}, false), "bde");  // best a, f; newest c, f
  EXPECT_EQ(Going(Two(), {0, 0, 0}), "abcdef");
  EXPECT_EQ(Going(Two(), {3, 0, 0}), "aef");  // b, d, c of all
  EXPECT_EQ(Going(Two(), {0, 0, 2}), "ad");
  EXPECT_EQ(Going(Two(), {1, 0, 1}), "ade");
  EXPECT_EQ(Going(Two(), {100, 100, 100}), "");
  EXPECT_EQ(Going({}, {1, 1, 1}), "");
}

TEST(Retention, WithoutAMetricOnlyTheNewestCount) {
  const std::vector<Checkpoint> all = {
      Make(1, "a", 10, 0.5), Make(1, "b", 20, {}), Make(1, "c", 30, {})};
  EXPECT_EQ(Going(all, {100, 100, 1}), "b");
  EXPECT_EQ(Going(all, {100, 100, 0}), "bc");
}

TEST(Retention, NanIsTheWorst) {
  const std::vector<Checkpoint> all = {
      Make(1, "a", 10, kNan), Make(1, "b", 20, 9.0), Make(1, "c", 30, kNan)};
  EXPECT_EQ(Going(all, {0, 1, 0}), "ac");
  EXPECT_EQ(Going(all, {0, 1, 0}, false), "ac");
  EXPECT_EQ(Going(all, {0, 2, 0}), "a");  // of equal ones the newer
}

TEST(Retention, WhatIsUsedStays) {
  std::vector<Checkpoint> all = Two();
  all[0].referenced = true;
  for (Checkpoint& checkpoint : all) checkpoint.trial_live = checkpoint.trial == TrialId(2);
  EXPECT_EQ(Going(all, {0, 0, 0}), "bcde");  // f: trial 2 would go on from it
  EXPECT_EQ(Going(all, {0, 0, 1}), "bde");
}

// The rule as it is written down, checkpoint by checkpoint.
bool Goes(const std::vector<Checkpoint>& all,
          const Policy& policy,
          bool smaller,
          const Checkpoint& c) {
  const auto newer = [](const Checkpoint& a, const Checkpoint& b) {
    if (a.steps != b.steps) return a.steps > b.steps;
    if (a.reported != b.reported) return a.reported > b.reported;
    if (a.trial != b.trial) return a.trial > b.trial;
    return a.uuid > b.uuid;
  };
  const auto better = [&](const Checkpoint& a, const Checkpoint& b) {
    if (!a.metric.has_value()) return false;
    const double worst = std::numeric_limits<double>::infinity();
    const double x = std::isnan(*a.metric) ? worst : (smaller ? *a.metric : -*a.metric);
    const double y = std::isnan(*b.metric) ? worst : (smaller ? *b.metric : -*b.metric);
    return x != y ? x < y : newer(a, b);
  };
  int64_t experiment_rank = 1;
  int64_t trial_rank = 1;
  int64_t order_rank = 1;
  for (const Checkpoint& other : all) {
    const bool same_trial = other.trial == c.trial;
    if (c.metric.has_value() && better(other, c)) {
      ++experiment_rank;
      trial_rank += same_trial ? 1 : 0;
    }
    order_rank += same_trial && newer(other, c) ? 1 : 0;
  }
  if (c.referenced || (c.trial_live && order_rank == 1)) return false;
  const bool not_best = !c.metric.has_value() || (experiment_rank > policy.save_experiment_best &&
                                                  trial_rank > policy.save_trial_best);
  return not_best && order_rank > policy.save_trial_latest;
}

std::vector<Checkpoint> AnyCheckpoints() {
  std::vector<Checkpoint> all;
  const auto count = *rc::gen::inRange(0, 25);
  std::set<int> live;
  for (int trial = 1; trial <= 4; ++trial) {
    if (*rc::gen::arbitrary<bool>()) live.insert(trial);
  }
  for (int i = 0; i < count; ++i) {
    const int trial = *rc::gen::inRange(1, 5);
    Checkpoint c = Make(trial, std::to_string(i), *rc::gen::inRange(0, 6), {});
    c.reported = *rc::gen::inRange(0, 6);
    // Finite ones, few of them, so that many are equal.
    switch (*rc::gen::inRange(0, 6)) {
      case 0:
        break;
      case 1:
        c.metric = kNan;
        break;
      default:
        c.metric = *rc::gen::inRange(-3, 3);
    }
    c.trial_live = live.contains(trial);
    c.referenced = *rc::gen::inRange(0, 8) == 0;
    all.push_back(std::move(c));
  }
  return all;
}

RC_GTEST_PROP(Retention, IsTheRuleAsItIsWrittenDown, ()) {
  const std::vector<Checkpoint> all = AnyCheckpoints();
  const Policy policy{*rc::gen::inRange(0, 6), *rc::gen::inRange(0, 4), *rc::gen::inRange(0, 4)};
  const bool smaller = *rc::gen::arbitrary<bool>();
  std::vector<size_t> expected;
  for (size_t i = 0; i < all.size(); ++i) {
    if (Goes(all, policy, smaller, all[i])) expected.push_back(i);
  }
  RC_ASSERT(PlanDeletion(all, policy, smaller) == expected);
}

// What stays after one run stays after the next: collecting twice collects nothing more.
RC_GTEST_PROP(Retention, OnceIsEnough, ()) {
  const std::vector<Checkpoint> all = AnyCheckpoints();
  const Policy policy{*rc::gen::inRange(0, 6), *rc::gen::inRange(0, 4), *rc::gen::inRange(0, 4)};
  const bool smaller = *rc::gen::arbitrary<bool>();
  const std::vector<size_t> going = PlanDeletion(all, policy, smaller);
  std::vector<Checkpoint> left;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!std::binary_search(going.begin(), going.end(), i)) left.push_back(all[i]);
  }
  RC_ASSERT(PlanDeletion(left, policy, smaller).empty());
}

}  // namespace
}  // namespace det::gc
