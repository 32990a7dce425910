#include "master/core/authorize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::core {
namespace {

constexpr WorkspaceId kHere{3};
constexpr WorkspaceId kElsewhere{4};

Principal With(Access access, WorkspaceId workspace = kHere) {
  return {Role::kUser, "ann", std::make_shared<const Grants>(Grants{.in = {{workspace, access}}})};
}

Principal Everywhere(Access access) {
  return {Role::kUser, "ann", std::make_shared<const Grants>(Grants{.everywhere = access})};
}

struct Who {
  std::string_view name;
  Principal principal;
};
// Against every object below: which of read, create, control, delete, manage, administer, run, rule
// is allowed, a letter each ("rckdmatR"), or "-".
struct Line {
  std::string_view who;
  std::string_view cluster;  // no workspace
  std::string_view others;   // bob's, in kHere
  std::string_view own;      // ann's, in kHere
};

std::string Letters(const Principal& principal, const Object& object) {
  static constexpr std::string_view kLetters = "rckdmatR";
  std::string letters;
  for (size_t i = 0; i < kLetters.size(); ++i) {
    const bool ok = Authorize(principal, static_cast<Verb>(i), object).ok();
    letters += ok ? kLetters[i] : '-';
  }
  return letters;
}

TEST(Authorize, EveryRoleVerbAndObject) {
  const Who people[] = {
      {"nobody", {Role::kUser, "ann"}},
      {"none", With(Access::kNone)},
      {"viewer", With(Access::kViewer)},
      {"editor", With(Access::kEditor)},
      {"administrator", With(Access::kAdministrator)},
      {"editor elsewhere", With(Access::kEditor, kElsewhere)},
      {"administrator elsewhere", With(Access::kAdministrator, kElsewhere)},
      {"viewer everywhere", Everywhere(Access::kViewer)},
      {"editor everywhere", Everywhere(Access::kEditor)},
      {"administrator everywhere", Everywhere(Access::kAdministrator)},
      {"cluster administrator", {Role::kAdmin, "root"}},
      {"agent", {Role::kAgent, "a1"}},
      {"master", {Role::kMaster, ""}},
  };
  const Line lines[] = {
      {"nobody", "r-------", "--------", "--------"},
      {"none", "r-------", "--------", "--------"},
      {"viewer", "r-------", "r-------", "r-kd----"},
      {"editor", "rc------", "rck-----", "rckd----"},
      {"administrator", "rc------", "rckdm---", "rckdm---"},
      {"editor elsewhere", "rc------", "--------", "--------"},
      {"administrator elsewhere", "rc------", "--------", "--------"},
      {"viewer everywhere", "r-------", "r-------", "r-kd----"},
      {"editor everywhere", "rc------", "rck-----", "rckd----"},
      {"administrator everywhere", "rc------", "rckdm---", "rckdm---"},
      {"cluster administrator", "rckdma--", "rckdma--", "rckdma--"},
      {"agent", "--------", "--------", "--------"},
      {"master", "rckdmatR", "rckdmatR", "rckdmatR"},
  };
  ASSERT_EQ(std::size(people), std::size(lines));
  for (size_t i = 0; i < std::size(people); ++i) {
    ASSERT_EQ(people[i].name, lines[i].who);
    const Principal& principal = people[i].principal;
    EXPECT_EQ(Letters(principal, {}), lines[i].cluster) << people[i].name;
    EXPECT_EQ(Letters(principal, {.owner = "bob", .workspace = kHere}), lines[i].others)
        << people[i].name;
    EXPECT_EQ(Letters(principal, {.owner = "ann", .workspace = kHere}), lines[i].own)
        << people[i].name;
  }
}

TEST(Authorize, AnAgentActsForItselfAlone) {
  const Principal agent{Role::kAgent, "a1"};
  EXPECT_TRUE(Authorize(agent, Verb::kRunTasks, {.agent = AgentId("a1")}).ok());
  EXPECT_FALSE(Authorize(agent, Verb::kRunTasks, {.agent = AgentId("a2")}).ok());
}

TEST(Authorize, ARoleSomewhereAndAnotherEverywhereGiveTheHigher) {
  Principal ann = Everywhere(Access::kEditor);
  EXPECT_EQ(AccessOf(ann, kHere), Access::kEditor);
  ann.grants = std::make_shared<const Grants>(
      Grants{.everywhere = Access::kEditor, .in = {{kHere, Access::kViewer}}});
  EXPECT_EQ(AccessOf(ann, kHere), Access::kEditor);
}

TEST(Authorize, ARefusalSaysWhoWhatWhichAndWhatWouldDo) {
  const absl::Status status =
      Authorize(With(Access::kViewer),
                Verb::kControl,
                {.owner = "bob", .workspace = kHere, .what = "experiment 7"});
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrorReason(status), "FORBIDDEN");
  EXPECT_EQ(FromAbsl(status.message()),
            "user:ann may not change experiment 7 in workspace 3, which is bob's: that takes the "
            "role editor there, and ann has viewer");
  EXPECT_EQ(
      FromAbsl(
          Authorize(With(Access::kAdministrator), Verb::kAdminister, {.what = "users"}).message()),
      "user:ann may not administer users: that takes an administrator of the cluster");
}

}  // namespace
}  // namespace det::core
