#include "common/filter/filter.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/filter/parser.h"
#include "common/filter/sort.h"
#include "common/filter/testing.h"
#include "common/json/json.h"

namespace det::filter {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

const FieldTable& Table() {
  static const FieldTable table(
      "an experiment",
      {{.name = "id", .type = Type::kInteger, .sql = "id", .required = true},
       {.name = "name", .sql = "name"},
       {.name = "state", .sql = "state", .choices = {"ACTIVE", "PAUSED", "ERROR"}},
       {.name = "best_metric", .type = Type::kNumber, .sql = "best"},
       {.name = "bytes", .type = Type::kBytes, .sql = "bytes"},
       {.name = "elapsed", .type = Type::kDuration, .sql = "elapsed"},
       {.name = "created", .type = Type::kTime, .sql = "created_at"},
       {.name = "archived", .type = Type::kBoolean, .sql = "archived"},
       {.name = "labels", .type = Type::kTextList, .sql = "labels"},
       {.name = "hparams", .type = Type::kJson, .sql = "hparams"}});
  return table;
}

using Data = std::map<std::string, Datum>;

Record RecordOf(const Data& data) {
  return [&data](const Field& field) {
    const auto found = data.find(field.name);
    return found == data.end() ? Datum() : found->second;
  };
}

Data Sample() {
  return {{"id", int64_t{7}},
          {"name", std::string("Digits CNN")},
          {"state", std::string("ACTIVE")},
          {"best_metric", 0.25},
          {"bytes", int64_t{20 << 20}},
          {"elapsed", absl::Minutes(90)},
          {"created", kNow - absl::Hours(3)},
          {"archived", false},
          {"labels", std::vector<std::string>{"vision", "Nightly run"}},
          {"hparams", *ParseJson(R"({"lr": 0.01, "opt": {"name": "adam", "a.b": true}, "n": 3})")}};
}

bool Matches(std::string_view text, const Data& data = Sample()) {
  const absl::StatusOr<Filter> filter = Filter::Make(text, Table(), kNow);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return filter.ok() && filter->Matches(RecordOf(data));
}

std::string Fault(std::string_view text) {
  const absl::StatusOr<Filter> filter = Filter::Make(text, Table(), kNow);
  if (filter.ok()) return "";
  EXPECT_EQ(ErrorReason(filter.status()), "BAD_FILTER");
  const std::string hint = ErrorHint(filter.status());
  return StrCat(FromAbsl(filter.status().message()), hint.empty() ? "" : StrCat("\n", hint));
}

TEST(FilterTest, ComparesEachTypeAsItsWordsSay) {
  for (const std::string_view text : {"id = 7",
                                      "id == 7",
                                      "id != 8",
                                      "id in (1, 7)",
                                      "id not in (1, 2)",
                                      "id > 6.5",
                                      "name ~ cnn",
                                      "name =~ '^Digits'",
                                      "name = \"Digits CNN\"",
                                      "name > D",
                                      "not name = x",
                                      "state = active",
                                      "state in (PAUSED, ACTIVE)",
                                      "best_metric < 0.3",
                                      "best_metric >= 0.25",
                                      "best_metric < inf",
                                      "bytes > 10MiB",
                                      "bytes < 1GB",
                                      "bytes = 20971520",
                                      "elapsed > 1h",
                                      "elapsed = 1h30m",
                                      "elapsed < 2d",
                                      "created > 2h",
                                      "created < 4h",
                                      "created < now",
                                      "created > 2020-01-01",
                                      "created < '2040-01-01 10:00'",
                                      "not archived",
                                      "archived = false",
                                      "labels = vision",
                                      "labels ~ nightly",
                                      "labels != x",
                                      "labels in (a, vision)",
                                      "labels =~ run$",
                                      "hparams.lr < 0.1",
                                      "hparams.lr = 0.01",
                                      "hparams.opt.name = adam",
                                      "hparams.opt.\"a.b\"",
                                      "hparams.n = 3",
                                      "hparams.n = 3.0",
                                      "hparams.opt.name ~ DA",
                                      "hparams.none = null",
                                      "hparams.lr != null",
                                      "hparams.lr != adam",
                                      "(id = 1 or id = 7) and not archived",
                                      "id=1 or id=7 and name~digits",
                                      "NOT (id = 1 OR archived)",
                                      ""}) {
    EXPECT_TRUE(Matches(text)) << text;
  }
}

TEST(FilterTest, WhatDoesNotHoldIsLeftOut) {
  for (const std::string_view text : {"id = 8",
                                      "id not in (7)",
                                      "name ~ xyz",
                                      "name = digits",
                                      "state = PAUSED",
                                      "elapsed < 1h",
                                      "created > 4h",
                                      "created < 1h",
                                      "archived",
                                      "labels = run",
                                      "labels = null",
                                      "hparams.opt.name < 3",
                                      "hparams.opt = null",
                                      "hparams.opt = x",
                                      "hparams.n = '3'",
                                      "hparams.none = 1",
                                      "hparams.none != null",
                                      "id = 1 or id = 2 and name ~ digits"}) {
    EXPECT_FALSE(Matches(text)) << text;
  }
}

TEST(FilterTest, WhatHasNoValueEqualsNothingButNull) {
  const Data nothing;
  for (const Field& field : Table().fields()) {
    if (field.type == Type::kJson) continue;
    EXPECT_TRUE(Matches(StrCat(field.name, " = null"), nothing)) << field.name;
    EXPECT_FALSE(Matches(StrCat(field.name, " != null"), nothing)) << field.name;
  }
  EXPECT_FALSE(Matches("best_metric < 1", nothing));
  EXPECT_FALSE(Matches("best_metric >= 1", nothing));
  EXPECT_TRUE(Matches("best_metric != 1", nothing));
  EXPECT_TRUE(Matches("not best_metric < 1", nothing));
  EXPECT_TRUE(Matches("labels = null", {{"labels", std::vector<std::string>{}}}));
}

TEST(FilterTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(Fault("stat = ACTIVE"),
            "an experiment has no field \"stat\"\n  stat = ACTIVE\n  ^~~~\ndid you mean state?");
  EXPECT_EQ(Fault("id = 1 and state = ACTVE"),
            "there is no state \"ACTVE\"\n  id = 1 and state = ACTVE\n                     "
            "^~~~~\ndid you mean ACTIVE?");
  EXPECT_EQ(Fault("best_metric < low"),
            "best_metric is a number; \"low\" is none\n  best_metric < low\n                ^~~");
  EXPECT_EQ(
      Fault("created = 2h"),
      "no time is exactly 2h ago\n  created = 2h\n            ^~\ncompare an age by < or >, as "
      "in created < 2h");
  EXPECT_EQ(Fault("(id = 1"), "this parenthesis is never closed\n  (id = 1\n  ^");
  EXPECT_EQ(Fault("id = 1)"), "this parenthesis was never opened\n  id = 1)\n        ^");
  EXPECT_EQ(Fault("name = 'x"), "this quote is never closed\n  name = 'x\n         ^");
  EXPECT_EQ(Fault("id = 1 && id = 2"), "write and for &&\n  id = 1 && id = 2\n         ^");
  EXPECT_EQ(
      Fault("id 7"),
      "here an operator is expected\n  id 7\n     ^\nthe operators are =, !=, <, <=, >, >=, ~ "
      "(contains), =~ and in");
  EXPECT_EQ(Fault("id ="), "here a value is expected\n  id =\n      ^");
  EXPECT_EQ(Fault("id ~ 7"),
            "id is a whole number: ~ does not compare that\n  id ~ 7\n     ^\nfor id there are =, "
            "!=, <, <=, >, >= and in");
  EXPECT_EQ(Fault("hparams = 1"),
            "hparams has many values\n  hparams = 1\n  ^~~~~~~\nname one, as in hparams.lr");
  EXPECT_EQ(Fault("name =~ '('").substr(0, 35), "the regular expression can't be rea");
  // Columns are characters, not bytes.
  EXPECT_EQ(Fault("näme = 1").find("  ^~~~\n"),
            std::string("an experiment has no field \"näme\"\n  näme = 1\n").size());
  EXPECT_NE(Fault(std::string(9000, 'x')), "");
}

TEST(FilterTest, DepthAndLengthAreBounded) {
  const auto nested = [](size_t n) { return std::string(n, '(') + "id = 1" + std::string(n, ')'); };
  EXPECT_EQ(Fault(nested(kDepthMax)), "");
  EXPECT_NE(Fault(nested(kDepthMax + 1)).find("at most 64 levels deep"), std::string::npos);
  std::string nots = "archived";
  for (int i = 0; i < 500; ++i) nots = "not " + nots;
  EXPECT_NE(Fault(nots), "");
  std::string many = "id = 1";
  for (size_t i = 0; i < kTestsMax; ++i) many += " or id = 1";
  EXPECT_NE(Fault(many).find("at most 256 tests"), std::string::npos);
}

std::string AnyText() {
  static const std::vector<std::string> kPieces = {"id",
                                                   "state",
                                                   "hparams.lr",
                                                   "and",
                                                   "or",
                                                   "not",
                                                   "in",
                                                   "(",
                                                   ")",
                                                   ",",
                                                   "=",
                                                   "!=",
                                                   "<",
                                                   "=~",
                                                   "~",
                                                   "\"",
                                                   "'",
                                                   "\\",
                                                   "2h",
                                                   "null",
                                                   "1e9",
                                                   " ",
                                                   "\n",
                                                   "\x80",
                                                   "\xff",
                                                   "ä",
                                                   "&",
                                                   "|",
                                                   "!",
                                                   "x.",
                                                   ".",
                                                   "hparams.\"a b\"",
                                                   "9223372036854775808",
                                                   "-",
                                                   "2026-01-01",
                                                   "10MiB",
                                                   std::string(1, '\0')};
  std::string text;
  const int size = *rc::gen::inRange(0, 24);
  for (int i = 0; i < size; ++i) text += *rc::gen::elementOf(kPieces);
  return text;
}

RC_GTEST_PROP(FilterPropertyTest, NoTextCrashesAndEachFaultShowsAPlace, ()) {
  const std::string text =
      *rc::gen::inRange(0, 2) == 0 ? AnyText() : *rc::gen::arbitrary<std::string>();
  const absl::StatusOr<Filter> filter = Filter::Make(text, Table(), kNow);
  if (filter.ok()) {
    filter->ToSql(1);
    filter->Matches(RecordOf(Sample()));
    return;
  }
  const std::string_view message = FromAbsl(filter.status().message());
  RC_ASSERT(std::count(message.begin(), message.end(), '\n') == 2);
  RC_ASSERT(message.find('^') != std::string_view::npos);
}

Test AnyTest() {
  static const std::vector<std::string> kWords = {
      "1", "x", "true", "null", "a b", "", "and", "it's", "say \"hi\"\n", "\\d\t", "ä", "-1.5e3"};
  Test test;
  static const std::vector<std::vector<std::string>> kFields = {
      {"id"}, {"name"}, {"hparams", "lr"}, {"hparams", "a b", "c.d"}, {"hparams", "in"}};
  test.field = *rc::gen::elementOf(kFields);
  test.op = *rc::gen::element(Op::kEqual,
                              Op::kNotEqual,
                              Op::kLess,
                              Op::kGreaterEqual,
                              Op::kContains,
                              Op::kMatches,
                              Op::kIn);
  const int values = test.op == Op::kIn ? *rc::gen::inRange(1, 4) : 1;
  for (int i = 0; i < values; ++i) test.values.push_back(testing::AnyLiteral(kWords));
  return test;
}

RC_GTEST_PROP(FilterPropertyTest, WhatIsPrintedReadsAsTheSame, ()) {
  const Node node = testing::AnyNode(4, AnyTest);
  const std::string text = Print(node);
  RC_PRE(text.size() <= kBytesMax);
  const absl::StatusOr<Node> again = Parse(text);
  if (!again.ok()) RC_PRE(text.find("has at most") == std::string::npos);
  RC_ASSERT(again.ok());
  RC_ASSERT(*again == node);
  RC_ASSERT(Print(*again) == text);
}

TEST(SortTest, OrdersByItsKeysAndLeavesWhatHasNoneAtTheEnd) {
  const auto order = [](const std::vector<std::string>& keys, const Data& a, const Data& b) {
    const absl::StatusOr<Sort> sort = Sort::Make(keys, Table());
    EXPECT_TRUE(sort.ok()) << sort.status();
    return sort.ok() ? sort->Compare(RecordOf(a), RecordOf(b)) : 0;
  };
  const Data small = {{"id", int64_t{1}}, {"best_metric", 0.1}};
  const Data large = {{"id", int64_t{2}}, {"best_metric", 0.2}};
  const Data none = {{"id", int64_t{3}}};
  EXPECT_LT(order({"best_metric"}, small, large), 0);
  EXPECT_GT(order({"best_metric:desc"}, small, large), 0);
  EXPECT_GT(order({"-best_metric"}, small, large), 0);
  EXPECT_LT(order({"best_metric"}, large, none), 0);
  EXPECT_LT(order({"-best_metric"}, large, none), 0);
  EXPECT_EQ(order({"name"}, small, large), 0);
  EXPECT_LT(order({"name", "id"}, small, large), 0);
}

TEST(SortTest, RefusesWhatItCantOrderBy) {
  const absl::Status unknown = Sort::Make({"best_metrik"}, Table()).status();
  EXPECT_EQ(ErrorReason(unknown), "BAD_SORT");
  EXPECT_EQ(ErrorHint(unknown), "did you mean best_metric?");
  EXPECT_FALSE(Sort::Make({"labels"}, Table()).ok());
  EXPECT_FALSE(Sort::Make({"hparams"}, Table()).ok());
  EXPECT_FALSE(Sort::Make({""}, Table()).ok());
  EXPECT_FALSE(Sort::Make(std::vector<std::string>(9, "id"), Table()).ok());
}

}  // namespace
}  // namespace det::filter
