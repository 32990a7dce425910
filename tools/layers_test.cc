#include "tools/layers.h"

#include <gtest/gtest.h>

namespace det::lint {
namespace {

std::string CycleOf(const std::vector<Layer>& layers) {
  return FindCycle(Below(layers));
}

TEST(Layers, OursGoInNoCircle) {
  EXPECT_EQ(CycleOf(Layers()), "");
}

TEST(Layers, ACircleIsFound) {
  EXPECT_EQ(CycleOf({{"a", {}}, {"b", {"a"}}, {"c", {"a", "b", "c"}}}), "");
  EXPECT_EQ(CycleOf({{"a", {"b"}}, {"b", {"a"}}}), "a -> b -> a");
  EXPECT_EQ(CycleOf({{"top", {"a"}}, {"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}}),
            "a -> b -> c -> a");
}

TEST(Layers, ANameOfAllFoldersInOneIsEachOfThem) {
  EXPECT_EQ(CycleOf({{"cli", {"cli/cluster"}}, {"cli/cluster", {"cli/"}}}),
            "cli -> cli/cluster -> cli");
  EXPECT_EQ(CycleOf({{"common/base", {}}, {"common", {"common/"}}}), "");
  EXPECT_EQ(CycleOf({{"common/base", {"x"}}, {"x", {"common/"}}}),
            "common/base -> x -> common/base");
  EXPECT_EQ(CycleOf({{"commons", {"x"}}, {"x", {"common/"}}}), "");
}

TEST(Layers, TheInnermostHoldsAFolder) {
  EXPECT_EQ(LayerOf("common/base")->folder, "common/base");
  EXPECT_EQ(LayerOf("common/base/deep")->folder, "common/base");
  EXPECT_EQ(LayerOf("common/basement")->folder, "common");
  EXPECT_EQ(LayerOf("tools"), nullptr);
}

}  // namespace
}  // namespace det::lint
