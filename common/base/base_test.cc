#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/id_map.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/base/strong_id.h"
#include "common/base/utf8.h"
#include "common/base/value.h"

namespace det {
namespace {

TEST(Status, CarriesReasonAndHint) {
  const absl::Status status = Error(
      absl::StatusCode::kNotFound, "TRIAL_NOT_FOUND", "trial 7 does not exist", "det trial list 1");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(status), "TRIAL_NOT_FOUND");
  EXPECT_EQ(ErrorHint(status), "det trial list 1");
  const absl::Status outer = Annotate(status, "cannot kill");
  EXPECT_EQ(outer.message(), "cannot kill: trial 7 does not exist");
  EXPECT_EQ(ErrorReason(outer), "TRIAL_NOT_FOUND");
  EXPECT_EQ(ErrorReason(absl::OkStatus()), "");
}

absl::StatusOr<int> Half(int x) {
  if (x % 2 != 0) return absl::InvalidArgumentError("odd");
  return x / 2;
}
absl::StatusOr<int> Quarter(int x) {
  DET_ASSIGN_OR_RETURN(const int half, Half(x));
  DET_RETURN_IF_ERROR(Half(half));
  return half / 2;
}

TEST(Status, Macros) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_EQ(Quarter(3).status().message(), "odd");
}

TEST(Utf8, WhatIsNoneIsReplacedByteByByte) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(ToUtf8(""), "");
  EXPECT_EQ(ToUtf8("gr\xc3\xb6\xc3\x9f "), "gr\xc3\xb6\xc3\x9f ");
  EXPECT_EQ(ToUtf8("a\xff z"), "a" + mark + " z");
  EXPECT_EQ(ToUtf8("cut \xc3"), "cut " + mark);
  EXPECT_EQ(ToUtf8("\xe2\x82"), mark + mark);
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), mark + mark + mark);  // a surrogate
  EXPECT_EQ(ToUtf8(ToUtf8("\xf0\x9f\x98")), ToUtf8("\xf0\x9f\x98"));
}

TEST(StrongId, OrdersAndPrints) {
  struct A {};
  using AId = StrongId<A>;
  EXPECT_LT(AId(1), AId(2));
  EXPECT_EQ(AId(3).ToString(), "3");
  EXPECT_FALSE(AId().valid());
}

TEST(Value, PrintsJson) {
  Value value;
  value["b"] = Value::Array{1, 2.5, true, nullptr, "x\"\n\x01"};
  value["a"]["c"] = 1e-5;
  EXPECT_EQ(value.ToJson(), R"({"a":{"c":1e-05},"b":[1,2.5,true,null,"x\"\n\u0001"]})");
  EXPECT_EQ(Value(Value::Object{{"k", Value::Array{1}}}).ToPrettyJson(),
            "{\n  \"k\": [\n    1\n  ]\n}");
  EXPECT_EQ(Value(Value::Array{}).ToPrettyJson(), "[]");
}

TEST(Value, FindsPathsWhoseKeysHoldDots) {
  Value value;
  value["a"]["b.c"] = 1;
  value["a.b"]["d"] = 2;
  EXPECT_EQ(value.FindPath("a.b.c")->as_int(), 1);
  EXPECT_EQ(value.FindPath("a.b.d")->as_int(), 2);
  EXPECT_EQ(value.FindPath("a.b")->TypeName(), "a map");
  EXPECT_EQ(value.FindPath("a.x"), nullptr);
  EXPECT_EQ(value.FindPath("a.b.d.e"), nullptr);
  EXPECT_EQ(value.FindPath(""), &value);
}

TEST(Value, DoublesKeepTheirTypeAndValue) {
  EXPECT_EQ(Value(1.0).ToJson(), "1.0");
  EXPECT_EQ(Value(0.1).ToJson(), "0.1");
  EXPECT_EQ(Value(1e300).ToJson(), "1e+300");
  EXPECT_EQ(Value(std::nan("")).ToJson(), "\"NaN\"");
  EXPECT_EQ(Value(-INFINITY).ToJson(), "\"-Infinity\"");
  EXPECT_FALSE(Value(1) == Value(1.0));
  EXPECT_TRUE(Value(std::nan("")) == Value(std::nan("")));
}

TEST(Value, FindsByPath) {
  Value value;
  value["optimizer"]["lr"] = 0.5;
  ASSERT_NE(value.FindPath("optimizer.lr"), nullptr);
  EXPECT_EQ(value.FindPath("optimizer.lr")->as_double(), 0.5);
  EXPECT_EQ(value.FindPath("optimizer.momentum"), nullptr);
  EXPECT_EQ(value.FindPath("optimizer.lr.x"), nullptr);
}

// These values are part of durable formats (state hashes, random streams): they may never change.
TEST(Hash, ValuesAreFixed) {
  EXPECT_EQ(Mix64(0), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(StableHash(""), Mix64(0xcbf29ce484222325ULL));
  StableHasher ab;
  ab.Feed("a");
  ab.Feed("b");
  StableHasher ba;
  ba.Feed("b");
  ba.Feed("a");
  EXPECT_NE(ab.Finish(), ba.Finish());
}

// Against an ordered map, with ids that meet in the same places and come and go.
TEST(IdMap, IsAMap) {
  IdMap<TaskId, int64_t> map;
  std::map<TaskId, int64_t> model;
  uint64_t random = 1;
  for (int64_t step = 0; step < 20'000; ++step) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const TaskId id(static_cast<int64_t>(1 + (random >> 33) % 700));
    if ((random >> 20) % 5 < 2) {
      const auto it = model.find(id);
      EXPECT_EQ(map.Take(id), it == model.end() ? 0 : it->second);
      model.erase(id);
    } else {
      map[id] = model[id] = step;
    }
    ASSERT_EQ(map.size(), model.size());
  }
  for (int64_t i = 0; i <= 701; ++i) {
    const int64_t* found = map.Find(TaskId(i));
    const auto it = model.find(TaskId(i));
    ASSERT_EQ(found != nullptr, it != model.end()) << i;
    if (found != nullptr) {
      EXPECT_EQ(*found, it->second);
    }
  }
}

}  // namespace
}  // namespace det
