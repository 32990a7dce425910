#include "cli/format/report.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <yaml-cpp/yaml.h>

#include "cli/format/escape.h"
#include "cli/format/width.h"
#include "common/base/status.h"
#include "common/json/json.h"

namespace det::cli {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Document Sample() {
  return Document()
      .Add("id", 7)
      .Add("name", "a \"b\"\n\u0085")
      .Add("ratio", 1e-5)
      .Add("nothing", {})
      .Add("nan", kNan)
      .Add("flag", true)
      .Add("empty", Document::List())
      .Add("list", Document::List{1, "yes", Document::Map()})
      .Add("map", Document::Map{{"1", "x"}});
}

TEST(DocumentTest, Json) {
  EXPECT_EQ(ToCompactJson(Sample()),
            R"({"id":7,"name":"a \"b\"\n\u0085","ratio":1e-05,"nothing":null,"nan":"NaN",)"
            R"("flag":true,"empty":[],"list":[1,"yes",{}],"map":{"1":"x"}})");
  EXPECT_EQ(ToPrettyJson(Document::Map{{"a", Document::List{1}}}),
            "{\n  \"a\": [\n    1\n  ]\n}\n");
}

TEST(DocumentTest, Yaml) {
  EXPECT_EQ(ToYaml(Sample()),
            "id: 7\n"
            "name: \"a \\\"b\\\"\\n\\u0085\"\n"
            "ratio: 1.0e-05\n"
            "nothing: null\n"
            "\"nan\": \"NaN\"\n"
            "flag: true\n"
            "empty: []\n"
            "list:\n"
            "  - 1\n"
            "  - \"yes\"\n"
            "  - {}\n"
            "map:\n"
            "  \"1\": x\n");
  EXPECT_EQ(ToYaml(Document::List{Document::Map{{"a", 1}, {"b", 2}}, Document::List{1, 2}}),
            "- a: 1\n  b: 2\n- - 1\n  - 2\n");
}

RC_GTEST_PROP(DocumentProperty, TextSurvivesJsonAndYaml, (const std::string& text)) {
  const std::string valid = ToValidUtf8(text);
  const Document document = Document::Map{{text.substr(0, 5), text}};
  const absl::StatusOr<Value> json = ParseJson(ToCompactJson(document));
  RC_ASSERT(json.ok());
  RC_ASSERT(json->as_object().begin()->second.as_string() == valid);
  const YAML::Node yaml = YAML::Load(ToYaml(document));
  RC_ASSERT(yaml.begin()->second.as<std::string>() == valid);
}

RC_GTEST_PROP(DocumentProperty, NumbersSurvive, (double number)) {
  RC_PRE(std::isfinite(number));
  RC_ASSERT(ParseJson(ToCompactJson(number))->as_number() == number);
  RC_ASSERT(YAML::Load(ToYaml(number)).as<double>() == number);
}

Table SampleTable() {
  return {.columns = {{"id", Align::kRight},
                      {.name = "name", .shrinks = true},
                      {"state"},
                      {"best", Align::kRight},
                      {"secret", Align::kLeft, Visible::kMachines},
                      {"both", Align::kLeft, Visible::kPeople}},
          .rows = {{7, "mnist", StateName{"ACTIVE"}, 0.5, "s", "p"},
                   {12, "a,b\n\"c\"", StateName{"ERROR"}, {}, "s", "p"},
                   {3, "日本", StateName{"PAUSED"}, kNan, {}, "p"}},
          .key = "id"};
}

std::string Rendered(const ReportOptions& options) {
  const absl::StatusOr<std::string> text = Render({Sample(), SampleTable(), {}}, options);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

TEST(TableTest, AlignsAndEscapes) {
  EXPECT_EQ(Rendered({}),
            "ID  NAME      STATE   BEST  BOTH\n"
            " 7  mnist     ACTIVE   0.5  p\n"
            "12  a,b\\n\"c\"  ERROR      -  p\n"
            " 3  日本      PAUSED   NaN  p\n");
}

TEST(TableTest, SeparatedFormats) {
  EXPECT_EQ(Rendered({.format = Format::kCsv}),
            "id,name,state,best,secret\n7,mnist,ACTIVE,0.5,s\n"
            "12,\"a,b\n\"\"c\"\"\",ERROR,,s\n3,日本,PAUSED,NaN,\n");
  EXPECT_EQ(Rendered({.format = Format::kTsv, .table = {.header = false}}),
            "7\tmnist\tACTIVE\t0.5\ts\n12\ta,b\\n\"c\"\tERROR\t\ts\n3\t日本\tPAUSED\tNaN\t\n");
  EXPECT_EQ(Rendered({.format = Format::kName, .table = {.sort = "id"}}), "3\n7\n12\n");
}

TEST(TableTest, ColumnsAndOrderAreTheUsers) {
  EXPECT_EQ(Rendered({.table = {.columns = {"secret", "id"}, .sort = "-id"}}),
            "SECRET  ID\ns       12\ns        7\n-        3\n");
  // What has no value comes last either way.
  EXPECT_EQ(
      Rendered({.format = Format::kCsv, .table = {.columns = {"secret"}, .sort = "secret:desc"}}),
      "secret\ns\ns\n\n");
}

TEST(TableTest, UnknownColumnsHaveNeighbours) {
  const auto text = Render({{}, SampleTable(), {}}, {.table = {.columns = {"stat"}}});
  EXPECT_EQ(ErrorReason(text.status()), "USAGE");
  EXPECT_EQ(ErrorHint(text.status()), "did you mean state?");
  const auto sorted = Render({{}, SampleTable(), {}}, {.table = {.sort = "-xyzzy"}});
  EXPECT_EQ(ErrorHint(sorted.status()), "the columns are id, name, state, best, secret, both");
}

TEST(TableTest, GivesWayOnTerminalsOnly) {
  Table table{.columns = {{.name = "name", .shrinks = true}, {"end"}},
              .rows = {{"abcdefghijklmnopqrstuvwxyz", "0123456789"}},
              .key = "name"};
  const auto render = [&](const Terminal& terminal) {
    return *Render({{}, table, {}}, {.terminal = terminal});
  };
  EXPECT_EQ(render({.width = 20}),
            "NAME                        END\nabcdefghijklmnopqrstuvwxyz  0123456789\n");
  EXPECT_EQ(render({.tty = true, .utf8 = true, .width = 24}),
            "NAME          END\nabcdefghijk\u2026  0123456789\n");
  EXPECT_EQ(render({.tty = true, .width = 24}), "NAME          END\nabcdefghij..  0123456789\n");
  // When nothing more may shrink the line ends where the terminal does.
  EXPECT_EQ(render({.tty = true, .utf8 = true, .width = 14}),
            "NAME      END\nabcdefg\u2026  012\u2026\n");
}

RC_GTEST_PROP(TableProperty, FitsItsTerminal, ()) {
  const auto texts = *rc::gen::container<std::vector<std::string>>(rc::gen::oneOf(
      rc::gen::arbitrary<std::string>(), rc::gen::element<std::string>("日本語", "e\u0301")));
  Table table{.columns = {{.name = "name", .shrinks = true}, {"more", Align::kRight}},
              .key = "name"};
  for (const std::string& text : texts) table.rows.push_back({text, text + text});
  const Terminal terminal{
      .tty = true, .utf8 = *rc::gen::arbitrary<bool>(), .width = *rc::gen::inRange(1, 50)};
  std::string out = TableText(table, true, terminal, absl::UnixEpoch());
  RC_ASSERT(static_cast<size_t>(std::count(out.begin(), out.end(), '\n')) == texts.size() + 1);
  while (!out.empty()) {
    const size_t end = out.find('\n');
    RC_ASSERT(DisplayWidth(out.substr(0, end)) <= terminal.width);
    out.erase(0, end + 1);
  }
}

TEST(TableTest, ColorsStates) {
  const Terminal terminal{.tty = true, .color = true, .utf8 = true};
  const std::string text =
      *Render({{}, {.columns = {{"state"}}, .rows = {{StateName{"ERROR"}}}, .key = "state"}, {}},
              {.terminal = terminal});
  EXPECT_EQ(text, "\x1b[1mSTATE\x1b[0m\n\x1b[31mERROR\x1b[0m\n");
}

TEST(TableTest, TimesAreRelativeOnTerminals) {
  const absl::Time now = absl::FromUnixSeconds(1'772'366'400);
  Table table{.columns = {{"at"}}, .rows = {{now - absl::Minutes(5)}}, .key = "at"};
  ReportOptions options{.now = now};
  EXPECT_EQ(*Render({{}, table, {}}, options), "AT\n2026-03-01T11:55:00Z\n");
  options.terminal.tty = true;
  EXPECT_EQ(*Render({{}, table, {}}, options), "AT\n5m ago\n");
}

TEST(ReportTest, Sections) {
  const Report report{{},
                      SampleTable(),
                      {{"", Fields{{"id", 7}, {"a name", "x\x1b"}, {"none", Cell()}}},
                       {"Table", SampleTable()},
                       {"Text", std::string("one\ntwo\x1b\n")}}};
  const std::string text = *Render(report, {});
  EXPECT_TRUE(text.starts_with("id      7\na name  x\\x1b\nnone    -\n\nTable\nID ")) << text;
  EXPECT_TRUE(text.ends_with("\n\nText\none\ntwo\\x1b\n")) << text;
}

TEST(ReportTest, MachineFormatsAreSafeOnTerminals) {
  Report report{
      Document("x"), {.columns = {{"a"}}, .rows = {{"\x1b]0;title\x07"}}, .key = "a"}, {}};
  ReportOptions options{.format = Format::kCsv};
  EXPECT_EQ(*Render(report, options), "a\n\x1b]0;title\x07\n");
  options.terminal.tty = true;
  EXPECT_EQ(*Render(report, options), "a\n\\x1b]0;title\\x07\n");
}

TEST(CellTest, OrderPutsNothingLast) {
  EXPECT_TRUE(CellLess(int64_t{1}, int64_t{2}));
  EXPECT_TRUE(CellLess(2.0, {}));
  EXPECT_FALSE(CellLess({}, 2.0));
  EXPECT_FALSE(CellLess({}, {}));
  EXPECT_TRUE(CellLess(Bytes{1}, Bytes{2}));
  EXPECT_TRUE(CellLess(Fraction{0.1}, Fraction{0.2}));
}

TEST(TableTest, LeavesOutWhatMattersLeast) {
  Table table{.columns = {{"id"},
                          {.name = "owner", .rank = 1},
                          {.name = "name", .shrinks = true},
                          {.name = "pool", .rank = 2}},
              .rows = {{7, "ann", "a search with quite a long name", "default"}},
              .key = "id"};
  const auto header = [&](int width) {
    const Terminal terminal{.tty = true, .width = width};
    const std::string text = TableText(table, true, terminal, absl::UnixEpoch());
    return text.substr(0, text.find('\n'));
  };
  EXPECT_EQ(header(60).substr(0, 15), "ID  OWNER  NAME");
  EXPECT_NE(header(60).find("POOL"), std::string::npos);
  EXPECT_EQ(header(30), "ID  OWNER  NAME");
  EXPECT_EQ(header(22), "ID  NAME");
  ASSERT_TRUE(Arrange({.columns = {"id", "pool", "owner"}}, true, &table).ok());
  EXPECT_EQ(header(60), "ID  POOL     OWNER");
  EXPECT_EQ(header(14).substr(0, 8), "ID  POOL");
}

}  // namespace
}  // namespace det::cli
