#include "master/scheduler/scheduler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace det::scheduler {
namespace {

Request Ask(int64_t task, int64_t slots, int64_t priority = 42, int64_t position = 0) {
  return {.task = TaskId(task),
          .pool = "p",
          .slots = slots,
          .priority = priority,
          .position = position};
}

std::set<int> Slots(int n) {
  std::set<int> slots;
  for (int i = 0; i < n; ++i) slots.insert(i);
  return slots;
}

std::string Text(const Plan& plan) {
  std::string text;
  for (const Placement& placement : plan.placements) {
    text += placement.task.ToString() + "@" + placement.agent.value() + ":";
    for (const int slot : placement.slots) text += std::to_string(slot);
    text += " ";
  }
  return text;
}

TEST(Schedule, BestFit) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(4), true);
  view.SetAgent(AgentId("b"), "p", Slots(2), true);
  view.AddRequest(Ask(1, 2));
  view.AddRequest(Ask(2, 1));
  view.AddRequest(Ask(3, 3));
  EXPECT_EQ(Text(Schedule(view, "p")), "1@b:01 2@a:0 3@a:123 ");
  EXPECT_TRUE(CheckPlan(view, "p", Schedule(view, "p")).ok());
}

TEST(Schedule, PriorityThenPosition) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(2), true);
  view.AddRequest(Ask(1, 1, 50, 1));
  view.AddRequest(Ask(2, 1, 42, 9));
  view.AddRequest(Ask(3, 1, 42, 3));
  EXPECT_EQ(Text(Schedule(view, "p")), "3@a:0 2@a:1 ");
  View fifo(Policy::kFifo);
  fifo.SetAgent(AgentId("a"), "p", Slots(2), true);
  fifo.AddRequest(Ask(1, 1, 50, 1));
  fifo.AddRequest(Ask(2, 1, 42, 9));
  fifo.AddRequest(Ask(3, 1, 42, 3));
  EXPECT_EQ(Text(Schedule(fifo, "p")), "1@a:0 3@a:1 ");
}

TEST(Schedule, TheHeadIsNeverOvertakenButTheImpossibleIs) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(2), true);
  view.Take(AgentId("a"), {0});
  view.AddRequest(Ask(1, 2));
  view.AddRequest(Ask(2, 1));
  EXPECT_EQ(Text(Schedule(view, "p")), "");
  view.RemoveRequest(TaskId(1));
  view.AddRequest(Ask(1, 3));
  EXPECT_EQ(Text(Schedule(view, "p")), "2@a:1 ");
  view.SetAgent(AgentId("b"), "p", Slots(3), true);  // now it is possible, and first
  EXPECT_EQ(Text(Schedule(view, "p")), "1@b:012 2@a:1 ");
  view.RemoveAgent(AgentId("b"));
  EXPECT_EQ(Text(Schedule(view, "p")), "2@a:1 ");
}

TEST(Schedule, PoolsAreApart) {
  View view;
  view.SetAgent(AgentId("a"), "q", Slots(2), true);
  view.AddRequest(Ask(1, 1));
  EXPECT_EQ(Text(Schedule(view, "p")), "");
  EXPECT_EQ(Text(Schedule(view, "q")), "");
}

TEST(Schedule, TasksWithoutSlotsSpread) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(1), true);
  view.SetAgent(AgentId("b"), "p", Slots(0), true);
  for (int i = 1; i <= 3; ++i) view.AddRequest(Ask(i, 0));
  EXPECT_EQ(Text(Schedule(view, "p")), "1@b: 2@a: 3@b: ");
}

TEST(Schedule, TasksWithoutSlotsGoWhereFewestRun) {
  View view;
  for (const char* agent : {"a", "b", "c"}) view.SetAgent(AgentId(agent), "p", Slots(1), true);
  view.Take(AgentId("a"), {});
  view.Take(AgentId("b"), {});
  view.Take(AgentId("b"), {});
  view.Take(AgentId("c"), {0});
  for (int i = 1; i <= 5; ++i) view.AddRequest(Ask(i, 0));
  EXPECT_EQ(Text(Schedule(view, "p")), "1@c: 2@c: 3@a: 4@c: 5@a: ");
  view.Release(AgentId("b"), {});
  view.Release(AgentId("b"), {});
  view.RemoveRequest(TaskId(1));
  EXPECT_EQ(Text(Schedule(view, "p")), "2@c: 3@b: 4@c: 5@a: ");
}

Request Avoiding(Request request, const char* agent) {
  request.avoid = AgentId(agent);
  return request;
}

TEST(Schedule, AnAvoidedAgentIsTakenOnlyWhereNoOtherCould) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(1), true);
  view.SetAgent(AgentId("b"), "p", Slots(2), true);
  view.AddRequest(Avoiding(Ask(1, 1), "a"));
  EXPECT_EQ(Text(Schedule(view, "p")), "1@b:0 ");
  view.RemoveRequest(TaskId(1));
  view.AddRequest(Avoiding(Ask(1, 2), "b"));  // a is too small
  EXPECT_EQ(Text(Schedule(view, "p")), "1@b:01 ");
  view.RemoveRequest(TaskId(1));
  view.AddRequest(Avoiding(Ask(1, 0), "a"));
  EXPECT_EQ(Text(Schedule(view, "p")), "1@b: ");
  view.RemoveRequest(TaskId(1));
  view.SetAgent(AgentId("b"), "p", Slots(2), false);  // away
  view.AddRequest(Avoiding(Ask(1, 1), "a"));
  EXPECT_EQ(Text(Schedule(view, "p")), "1@a:0 ");
}

TEST(Schedule, WhatOneRequestAvoidsOthersMayHave) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(1), true);
  view.SetAgent(AgentId("b"), "p", Slots(2), true);
  view.Take(AgentId("b"), {0, 1});
  view.AddRequest(Avoiding(Ask(1, 1), "a"));  // waits for b
  view.AddRequest(Ask(2, 2));                 // never on a
  view.AddRequest(Avoiding(Ask(3, 1), "a"));
  view.AddRequest(Ask(4, 1));
  view.AddRequest(Ask(5, 1));
  EXPECT_EQ(Text(Schedule(view, "p")), "4@a:0 ");
  EXPECT_TRUE(CheckPlan(view, "p", Schedule(view, "p")).ok());
  EXPECT_NE(Explain(view, TaskId(1)).text.find("it keeps off agent a"), std::string::npos);
  view.Release(AgentId("b"), {0, 1});
  EXPECT_EQ(Text(Schedule(view, "p")), "1@b:0 ");  // 2 needs all of b, and all wait for it
}

TEST(Schedule, AgentsThatAreAwayTakeNothing) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(2), true);
  view.Take(AgentId("a"), {0});
  view.SetAgent(AgentId("a"), "p", Slots(2), false);
  view.AddRequest(Ask(1, 1));
  EXPECT_EQ(Text(Schedule(view, "p")), "");
  EXPECT_EQ(Explain(view, TaskId(1)).code, "NO_AGENTS");
  view.SetAgent(AgentId("a"), "p", Slots(2), true);
  EXPECT_EQ(Text(Schedule(view, "p")), "1@a:1 ");  // slot 0 is still taken
}

TEST(Schedule, APassIsBounded) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(400), true);
  for (int i = 1; i <= 300; ++i) view.AddRequest(Ask(i, 1));
  const Plan plan = Schedule(view, "p");
  EXPECT_EQ(plan.placements.size(), static_cast<size_t>(kPlacementsPerPassMax));
  EXPECT_FALSE(plan.complete);
}

TEST(Explain, SaysWhatIsMissing) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(2), true);
  view.Take(AgentId("a"), {0, 1});
  view.AddRequest(Ask(1, 1));
  view.AddRequest(Ask(2, 2));
  view.AddRequest(Ask(3, 4));
  EXPECT_EQ(
      Explain(view, TaskId(1)).text,
      "needs 1 slot on one agent of pool \"p\"; the most free on one agent is 0; 0 requests are "
      "ahead of it");
  EXPECT_EQ(Explain(view, TaskId(1)).code, "WAITING_FOR_SLOTS");
  EXPECT_EQ(Explain(view, TaskId(2)).code, "WAITING_FOR_TURN");
  EXPECT_EQ(Explain(view, TaskId(3)).text,
            "needs 4 slots on one agent of pool \"p\"; its largest agent has 2");
  EXPECT_EQ(Explain(view, TaskId(9)).code, "NOT_WAITING");
}

TEST(CheckPlan, CatchesADoublePlacement) {
  View view;
  view.SetAgent(AgentId("a"), "p", Slots(2), true);
  view.AddRequest(Ask(1, 1));
  view.AddRequest(Ask(2, 1));
  Plan plan = Schedule(view, "p");
  plan.placements[1].slots = plan.placements[0].slots;
  EXPECT_FALSE(CheckPlan(view, "p", plan).ok());
  plan = Schedule(view, "p");
  plan.placements[1].task = plan.placements[0].task;
  EXPECT_FALSE(CheckPlan(view, "p", plan).ok());
  plan = Schedule(view, "p");
  plan.placements[0].slots.clear();
  EXPECT_FALSE(CheckPlan(view, "p", plan).ok());
}

// Random operations: plans are always valid, the queue drains when agents are free, and the indexes
// equal ones built from nothing.
RC_GTEST_PROP(View,
              StaysConsistent,
              (const std::vector<std::tuple<uint8_t, uint8_t, uint8_t>>& operations)) {
  View view;
  std::map<int64_t, Placement> running;
  std::map<AgentId, std::pair<int, bool>> agents;
  std::map<int64_t, Request> waiting;
  int64_t next = 1;
  for (const auto& [what, x, y] : operations) {
    const AgentId agent("a" + std::to_string(x % 4));
    switch (what % 4) {
      case 0:
        waiting[next] = Ask(next, x % 6, 40 + y % 3, y % 5);
        view.AddRequest(waiting[next++]);
        break;
      case 1: {
        agents[agent] = {y % 5, y % 3 != 0};
        view.SetAgent(agent, "p", Slots(y % 5), y % 3 != 0);
        break;
      }
      case 2:
        if (!running.empty()) {
          view.Release(running.begin()->second.agent, running.begin()->second.slots);
          running.erase(running.begin());
        }
        break;
      default: {
        const Plan plan = Schedule(view, "p");
        RC_ASSERT(CheckPlan(view, "p", plan).ok());
        for (const Placement& placement : plan.placements) {
          view.RemoveRequest(placement.task);
          waiting.erase(placement.task.value());
          view.Take(placement.agent, placement.slots);
          running[placement.task.value()] = placement;
        }
        RC_ASSERT(Schedule(view, "p").placements.empty());
      }
    }
    View fresh;
    for (const auto& [id, request] : waiting) fresh.AddRequest(request);
    for (const auto& [id, placement] : running) fresh.Take(placement.agent, placement.slots);
    for (const auto& [id, shape] : agents)
      fresh.SetAgent(id, "p", Slots(shape.first), shape.second);
    RC_ASSERT(fresh == view);
  }
}

}  // namespace
}  // namespace det::scheduler
