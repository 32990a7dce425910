#include "common/config/yaml.h"

#include <bit>
#include <cmath>
#include <ctime>
#include <functional>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det {
namespace {

// The value as JSON, or what was rendered.
std::string Read(std::string_view text, const YamlLimits& limits = {}) {
  const absl::StatusOr<YamlDocument> document = ParseYaml(text, "t.yaml", limits);
  if (document.ok()) return document->value().ToJson();
  EXPECT_EQ(document.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(document.status()), "INVALID_YAML");
  return std::string(document.status().message());
}

// The first line of the first problem, without the file's name; "" when there is none.
std::string FirstProblem(std::string_view text, const YamlLimits& limits = {}) {
  const absl::StatusOr<YamlDocument> document = ParseYaml(text, "t", limits);
  if (document.ok()) return "";
  const std::string_view message = FromAbsl(document.status().message());
  return std::string(message.substr(2, message.find('\n') - 2));
}

std::string Repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out.append(text);
  return out;
}

struct Case {
  const char* text;
  const char* expected;
};

class GoodYaml : public testing::TestWithParam<Case> {};
TEST_P(GoodYaml, HasThisValue) {
  EXPECT_EQ(Read(GetParam().text), GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Scalars,
    GoodYaml,
    testing::ValuesIn(std::vector<Case>{
        {"[~, null, Null, NULL, '', nULL]", R"([null,null,null,null,"","nULL"])"},
        {"[true, True, FALSE, yes, on, No, tRUE]", R"([true,true,false,"yes","on","No","tRUE"])"},
        {"[0, -7, +7, 012, 0x1F, 0o17, -0]", "[0,-7,7,12,31,15,0]"},
        {"[0x, 0o8, -0x1, 1_000, 1:30, '1', \"2\"]",
         R"(["0x","0o8","-0x1","1_000","1:30","1","2"])"},
        {"[1., .5, -1.5, +2.5e-3, 1e3, 1E+3, -0.0]", "[1.0,0.5,-1.5,0.0025,1000.0,1000.0,-0.0]"},
        {"[., e3, 1e, 1.2.3, .e1, +, -]", R"([".","e3","1e","1.2.3",".e1","+","-"])"},
        {"[.inf, -.INF, +.Inf, .nan, .NaN, inf, nan]",
         R"(["Infinity","-Infinity","Infinity","NaN","NaN","inf","nan"])"},
        {"[9223372036854775807, -9223372036854775808, 9223372036854775808]",
         "[9223372036854775807,-9223372036854775808,9223372036854775808.0]"},
        {"[!!str 1, !!int '3', !!float 1, !!bool 'true', !!null '', ! 5, !!float .inf]",
         R"(["1",3,1.0,true,null,"5","Infinity"])"},
        {"2022-06-23", R"("2022-06-23")"},
        {"a:1", R"("a:1")"},
        {"'it''s'", R"("it's")"},
        {R"("\x41\u00e9\U0001F600\/\t\e")", "\"A\xC3\xA9\xF0\x9F\x98\x80/\\t\\u001b\""},
        {"|\n  a\n   b\n\n", R"("a\n b\n")"},
        {">-\n  a\n  b\n\n  c\n", R"("a b\nc")"},
    }));

INSTANTIATE_TEST_SUITE_P(
    Documents,
    GoodYaml,
    testing::ValuesIn(std::vector<Case>{
        {"", "null"},
        {"# only a comment\n", "null"},
        {"---\n", "null"},
        {"%YAML 1.2\n--- a\n...\n", R"("a")"},
        {"\xEF\xBB\xBF"
         "a: 1\n",
         R"({"a":1})"},
        {"a: 1\r\nb:\r\n  - 2\r\n", R"({"a":1,"b":[2]})"},
        {"a:\n- 1\n- b: 2\n  c:\n-\n", R"({"a":[1,{"b":2,"c":null},null]})"},
        {"{\n\t\"a\": [1,\t2],\n\t\"b\": {\"c\":null}\n}\n", R"({"a":[1,2],"b":{"c":null}})"},
        {"1: a\n2.50: b\ntrue: c\n'': d", R"({"":"d","1":"a","2.50":"b","true":"c"})"},
        {"{a, b: , c}", R"({"a":null,"b":null,"c":null})"},
        {"? a\n? b\n: 1\n\"c\" :\n&k d:\n", R"({"a":null,"b":1,"c":null,"d":null})"},
        {"[a: 1, {b: 2}]", R"([{"a":1},{"b":2}])"},
        {"!!map {a: !!seq [1]}", R"({"a":[1]})"},
        {"[]", "[]"},
        {"a: {}", R"({"a":{}})"},
        {"a: one\n  two\n", R"({"a":"one two"})"},
    }));

INSTANTIATE_TEST_SUITE_P(AliasesAndMerges,
                         GoodYaml,
                         testing::ValuesIn(std::vector<Case>{
                             {"a: &x [1, &y 2]\nb: *x\nc: *y", R"({"a":[1,2],"b":[1,2],"c":2})"},
                             {"a: &x 1\nb: &x 2\nc: *x", R"({"a":1,"b":2,"c":2})"},
                             {"&k a: 1\nb: *k", R"({"a":1,"b":"a"})"},
                             {"a: &n\nb: *n", R"({"a":null,"b":null})"},
                             {"a: &b {x: 1, y: 1}\nc: {<<: *b, y: 2}",
                              R"({"a":{"x":1,"y":1},"c":{"x":1,"y":2}})"},
                             {"c: {y: 2, <<: {x: 1, y: 1}}", R"({"c":{"x":1,"y":2}})"},
                             {"<<: [{a: 1}, {a: 2, b: 2}]\nb: 3\nc: 4", R"({"a":1,"b":3,"c":4})"},
                             {"a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}",
                              R"({"a":{"x":1},"b":{"x":1,"y":2},"c":{"x":1,"y":2}})"},
                             {"<<: []", "{}"},
                             {"'<<': 1", R"({"<<":1})"},
                             {"- <<", R"(["<<"])"},
                         }));

// JSON writes characters beyond U+FFFF as two escapes.
INSTANTIATE_TEST_SUITE_P(Surrogates,
                         GoodYaml,
                         testing::ValuesIn(std::vector<Case>{
                             {R"({"\ud83d\ude00": ["\uD83D\uDE00x\\ud83d"]})",
                              "{\"\xF0\x9F\x98\x80\":[\"\xF0\x9F\x98\x80x\\\\ud83d\"]}"},
                             {R"(a: '\ud83d\ude00')", R"({"a":"\\ud83d\\ude00"})"},
                         }));

class BadYaml : public testing::TestWithParam<Case> {};
TEST_P(BadYaml, IsNamed) {
  EXPECT_EQ(FirstProblem(GetParam().text), GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Syntax,
    BadYaml,
    testing::ValuesIn(std::vector<Case>{
        {"a: b: c", "1:5: error: a \":\" is not expected here"},
        {"a:\n  b: 1\n   c: 2", "3:5: error: a \":\" is not expected here"},
        {"a:\n    b: 1\n   c: 2",
         "3:4: error: this is neither a key with \":\" nor the end of the map"},
        {"a: 'x' y", "1:8: error: this is neither a key with \":\" nor the end of the map"},
        {"a: 1\nb\n", "2:1: error: this is neither a key with \":\" nor the end of the map"},
        {"a: -", "1:4: error: a \"- \" is not expected here"},
        {"- a\nb: 1", "2:1: error: text after the end of the document"},
        {"'a' 'b'", "1:5: error: text after the end of the document"},
        {"a: 1\n---\nb: 2", "2:1: error: text after the end of the document"},
        {"a: [1,\n  b\nc: 2", "1:4: error: this list is not closed"},
        {"{\"a\": 1", "1:1: error: this map is not closed"},
        {"a: [1, 2}", "1:9: error: no bracket is open that this one could close"},
        {"[1]]", "1:4: error: no bracket is open that this one could close"},
        {"[a, , b]", "1:5: error: an item is missing before this comma"},
        {"a: @x", "1:4: error: no value begins with this character"},
        {"a: `x`", "1:4: error: no value begins with this character"},
        {"a: *b", "1:4: error: this alias has no anchor before it"},
        {"a: *", "1:5: error: a name is expected after \"*\""},
        {"a: \"x", "1:6: error: the text ends within quotes"},
        {"a: \"x\nb: 1\n", "1:4: error: the text ends within quotes"},
        {"a: 'x''\n", "1:4: error: the text ends within quotes"},
        {"a: &b !!str \"x\\\"\n", "1:4: error: the text ends within quotes"},
        {"a: \"\\q\"", "1:5: error: an unknown escape in double quotes"},
        {"a: \"\\ud83d\"", "1:5: error: an escape for something that is no character"},
        {"a: | x",
         "1:6: error: only \"-\", \"+\" and one digit may follow \"|\" or \">\" on the line"},
        {"%YAML 3.0\n--- a", "1:1: error: invalid YAML: YAML major version too large"},
    }));

INSTANTIATE_TEST_SUITE_P(Tabs,
                         BadYaml,
                         testing::ValuesIn(std::vector<Case>{
                             {"a:\n\tb: 1", "2:1: error: a tab can't indent"},
                             {"a:\n\tb", "2:1: error: a tab can't indent"},
                             {"a:\n  b: 1\n  \tc: 2", "3:3: error: a tab can't indent"},
                             {"\t- a", "1:1: error: a tab can't indent"},
                             {"a:\n\t- b", "2:1: error: a tab can't indent"},
                             {"a: |\n  x\n\ty\n", "3:1: error: a tab can't indent"},
                         }));

INSTANTIATE_TEST_SUITE_P(
    Meaning,
    BadYaml,
    testing::ValuesIn(std::vector<Case>{
        {"a: 1\nb: 2\na: 3", "3:1: error: duplicate key \"a\""},
        {"{\"a\": 1, a: 2}", "1:10: error: duplicate key \"a\""},
        {"? [1, 2]\n: 3", "1:3: error: a key must be a string, not a list"},
        {"{{a: 1}: 2}", "1:2: error: a key must be a string, not a map"},
        {"~: 1", "1:1: error: a key must be a string, not null"},
        {": 1", "1:1: error: a key must be a string, not null"},
        {"&a b: 1\n*a : 2", "2:1: error: a key must be a string, not an alias"},
        {"a: &x [1, *x]", "1:11: error: this alias stands inside of what it refers to"},
        {"a: &x {b: {c: *x}}", "1:15: error: this alias stands inside of what it refers to"},
        {"a: !!python/object:os.system {}",
         "1:4: error: the tag !!python/object:os.system is not allowed here"},
        {"- !mine [1]", "1:3: error: the tag !mine is not allowed here"},
        {"- !<tag:x.y,2000:z> 1", "1:3: error: the tag tag:x.y,2000:z is not allowed here"},
        {"!!set {a}", "1:1: error: the tag !!set is not allowed here"},
        {"!!seq {a: 1}", "1:1: error: the tag !!seq is not allowed here"},
        {"!!str [a]", "1:1: error: the tag !!str is not allowed here"},
        {"!!int 3: a", "1:1: error: the tag !!int is not allowed here"},
        {"%TAG !! tag:evil,2000:\n--- !!str a",
         "2:5: error: the tag tag:evil,2000:str is not allowed here"},
        {"!!int x", "1:1: error: x is not of the type !!int"},
        {"!!int 1.5", "1:1: error: 1.5 is not of the type !!int"},
        {"!!map x", "1:1: error: x is no list and no map"},
        {"a: 1e999", "1:4: error: 1e999 is beyond what a double holds"},
        {"a: 0x1FFFFFFFFFFFFFFFF", "1:4: error: 0x1FFFFFFFFFFFFFFFF is beyond what 64 bits holds"},
        {"<<: 1", "1:5: error: \"<<\" merges a map or a list of maps only"},
        {"<<: [{a: 1}, 2]", "1:5: error: \"<<\" merges a map or a list of maps only"},
        {"<<: {a: 1}\n<<: {b: 1}", "2:1: error: duplicate key \"<<\""},
    }));

TEST(Yaml, RefusesWhatIsNoText) {
  EXPECT_EQ(FirstProblem("a: \xff"), "1:4: error: invalid UTF-8");
  EXPECT_EQ(FirstProblem("\xff\xfe"
                         "a"),
            "1:1: error: invalid UTF-8");
  for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\x80"}) {
    EXPECT_EQ(FirstProblem(StrCat("# \xC3\xA9 ", bad)), "1:5: error: invalid UTF-8");
  }
  EXPECT_EQ(FirstProblem(std::string_view("a: \0b", 5)),
            "1:4: error: the control character \\x00 is not allowed");
  // The parser below would take this one for the end of the text.
  EXPECT_EQ(FirstProblem("a: 1\n\x04"
                         "b: 2"),
            "2:1: error: the control character \\x04 is not allowed");
  EXPECT_EQ(FirstProblem("a: 1\rb: 2"), "1:5: error: a carriage return without a line feed");
}

TEST(Yaml, LimitsAreHeld) {
  EXPECT_EQ(FirstProblem("abcdef", {.bytes_max = 5}),
            " error: the text has 6 bytes, at most 5 are allowed");
  EXPECT_EQ(FirstProblem("[abcd, 'abcdef']", {.scalar_bytes_max = 5}),
            "1:8: error: a string of 6 bytes, at most 5 are allowed");
  EXPECT_EQ(FirstProblem("[1, 2, 3]", {.nodes_max = 3}),
            "1:8: error: more than 3 keys and values, aliases expanded");
  EXPECT_EQ(FirstProblem("[&a abcd, *a, *a]", {.expanded_bytes_max = 8}),
            "1:15: error: more than 8 bytes of strings, aliases expanded");
  EXPECT_EQ(FirstProblem("[&a 1, *a, *a]", {.aliases_max = 1}), "1:12: error: more than 1 aliases");
  EXPECT_EQ(FirstProblem("[a, b]", {.structure_max = 2}),
            "1:6: error: the text has more than 2 brackets, commas, colons, dashes and line ends");
  EXPECT_EQ(FirstProblem("a: {b: [1]}", {.depth_max = 2}),
            "1:8: error: nested deeper than 2 levels");
  EXPECT_EQ(FirstProblem("a: &x [1]\nb: [*x]", {.depth_max = 2}),
            "2:5: error: nested deeper than 2 levels");
  EXPECT_EQ(Read("a: &x [1]\nb: *x", {.depth_max = 2}), R"({"a":[1],"b":[1]})");
}

// All problems of a text are told, in its order, and not for ever.
TEST(Yaml, TellsAllProblems) {
  EXPECT_EQ(Read("a: 1\nb: {c: 1, c: !x 2}\na: *d\n"), R"(t.yaml:2:11: error: duplicate key "c"
    2 | b: {c: 1, c: !x 2}
      |           ^
hint: it stands on line 2 already
t.yaml:2:14: error: the tag !x is not allowed here
    2 | b: {c: 1, c: !x 2}
      |              ^
hint: only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are known
t.yaml:3:4: error: this alias has no anchor before it
    3 | a: *d
      |    ^
hint: put text that begins with "*" in quotes)");
  YamlDocument document;
  EXPECT_LE(ReadYaml(Repeat("- !x\n", 10000), {}, &document).size(), kYamlMistakesMax + 1);
}

std::string Show(const std::optional<TextMark>& mark) {
  return mark.has_value() ? StrCat(mark->line, ":", mark->column) : "none";
}

TEST(YamlDocument, KnowsPlaces) {
  const absl::StatusOr<YamlDocument> document = ParseYaml(
      "# config\n"
      "searcher:\n"
      "  name: grid\n"
      "  \xC3\xA9t\xC3\xA9: [\xC3\xA9, {b: 1}]\n"
      "base: &base {x: 1, y.z: 2}\n"
      "use:\n"
      "  <<: *base\n"
      "  l: [*base]\n"
      "empty:\n"
      "last[0]: 3\n",
      "t");
  ASSERT_TRUE(document.ok()) << document.status();
  const auto places = [&](std::string_view path) {
    return StrCat(Show(document->KeyMark(path)), " ", Show(document->ValueMark(path)));
  };
  EXPECT_EQ(places(""), "none 2:1");
  EXPECT_EQ(places("searcher"), "2:1 3:3");
  EXPECT_EQ(places("searcher.name"), "3:3 3:9");
  EXPECT_EQ(places("searcher.\xC3\xA9t\xC3\xA9[0]"), "none 4:9");
  EXPECT_EQ(places("searcher.\xC3\xA9t\xC3\xA9[1].b"), "4:13 4:16");
  EXPECT_EQ(places("base.y.z"), "5:20 5:25");
  EXPECT_EQ(places("use.x"), "5:14 5:17");
  EXPECT_EQ(places("use.l[0].y.z"), "5:20 5:25");
  EXPECT_EQ(places("empty"), "9:1 9:1");
  EXPECT_EQ(places("last[0]"), "10:1 10:10");
  for (const char* path : {"a",
                           "searcher.name.x",
                           "searcher[0]",
                           "use.l[1]",
                           "use.l[0",
                           "use.l.0",
                           "use.l[x]",
                           "use.l[]",
                           ".",
                           "[",
                           "use.l[0]x.",
                           "base.y"}) {
    EXPECT_EQ(places(path), "none none") << path;
  }
  EXPECT_EQ(document->nodes(), 19);
}

TEST(YamlDocument, PlacesOfJoinedEscapesAreThoseOfTheText) {
  const auto document = ParseYaml(R"({"a": "\ud83d\ude00", "b": 1})", "t");
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(Show(document->KeyMark("b")), "1:23");
  EXPECT_EQ(Show(document->ValueMark("b")), "1:28");
}

// Paths that can be read in very many ways, and long ones, cost little.
TEST(YamlDocument, HostilePathsEndSoon) {
  std::string text = "a0: &a0 {k: 1}\n";
  for (int i = 1; i < 12; ++i) {
    StrAppend(text, "a", i, ": &a", i, " {k: *a", i - 1, ", k.k: *a", i - 1, "}\n");
  }
  const auto many = ParseYaml(text, "t");
  ASSERT_TRUE(many.ok()) << many.status();
  EXPECT_EQ(many->ValueMark("a11" + Repeat(".k", 60)), std::nullopt);
  EXPECT_NE(many->ValueMark("a11" + Repeat(".k", 12)), std::nullopt);
  const std::string dots = Repeat(".", 100000);
  const auto several = ParseYaml(StrCat("\"", dots, "\": 1"), "t");
  ASSERT_FALSE(several.ok());  // a key without "? " has at most 1024 characters
  const auto longer = ParseYaml(StrCat("? ", dots, "x\n: 1\n? ", dots, "y\n: 2\n"), "t");
  ASSERT_TRUE(longer.ok()) << longer.status();
  EXPECT_EQ(Show(longer->ValueMark(dots + "y")), "4:3");
}

TEST(YamlDocument, EmptyHasNoPlaces) {
  const auto document = ParseYaml("", "t");
  EXPECT_EQ(document->ValueMark(""), std::nullopt);
  EXPECT_EQ(document->nodes(), 0);
}

double CpuMilliseconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// Texts that make naive readers use time or memory without bound. The bound of 100 ms is for a
// machine of its own; here it leaves room for sanitizers and busy neighbours.
TEST(Yaml, HostileTextsEndSoon) {
  constexpr size_t kBytes = 256 << 10;
  std::vector<std::string> texts;
  for (const char* piece :
       {"[",        "{",        "[1,",    "{? ",   "- ",     "? ",    "[a: ",   "[&a ", ": ",
        "[\"",      "[:",       "{:",     "a",     "a\n",    "\n",    "#\n",    "'a' ", "&a ",
        "- &a b\n", "- !t b\n", "%A B\n", "---\n", "a: 1\n", "- 1\n", "{a: 1,", "\t",   "\t- a\n",
        "a b ",     "!",        "\"",     "]",     "-\n",    "? a\n", "a:\n",   "*a ",  "<<: "}) {
    const size_t times = kBytes / std::string_view(piece).size();
    texts.push_back(Repeat(piece, times));
    texts.push_back(Repeat(piece, times / 4));
  }
  texts.push_back("[" + Repeat("1,", 60000) + "]");
  texts.push_back("[" + Repeat("1234,", 50000) + "]");
  texts.push_back("\"" + Repeat("\\n", 60000) + "\"");
  texts.push_back("a: &a " + Repeat("x", 100000) + "\nb:\n" + Repeat("- *a\n", 9000));
  texts.push_back("b: &b {" + Repeat("a: 1,", 1) + "}\nc:\n" + Repeat(" - <<: *b\n", 9000));
  texts.push_back("b: &b {a: 1}\nc: {<<: [" + Repeat("*b,", 9000) + "]}\n");
  std::string nested;
  for (int i = 0; i < 90; ++i) StrAppend(nested, "&a", i, " [");
  texts.push_back(nested + Repeat("1,", 50000) + Repeat("]", 90));
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 60; ++i) {
    StrAppend(laughs, "a", i, ": &a", i, " [", Repeat(StrCat("*a", i - 1, ","), 10), "]\n");
  }
  texts.push_back(laughs);
  for (const std::string& text : texts) {
    const double begin = CpuMilliseconds();
    YamlDocument document;
    ReadYaml(text, {}, &document);
    EXPECT_LT(CpuMilliseconds() - begin, 2000) << text.substr(0, 40);
  }
}

TEST(Render, ShowsThePlace) {
  EXPECT_EQ(RenderProblem("adaptive.yaml",
                          Repeat("x\n", 11) + "    max_restart: 3\nmore\n",
                          {.mark = {.line = 12, .column = 5},
                           .message = "unknown key \"max_restart\"",
                           .hint = "did you mean \"max_restarts\"?"}),
            R"(adaptive.yaml:12:5: error: unknown key "max_restart"
   12 |     max_restart: 3
      |     ^
hint: did you mean "max_restarts"?)");
}

TEST(Render, WithoutAPlaceThereIsNoExcerpt) {
  const TextProblem whole{.warning = true, .message = "m"};
  EXPECT_EQ(RenderProblem("f", "text", whole), "f: warning: m");
  EXPECT_EQ(RenderProblem("f", "one\n", {.mark = {.line = 3, .column = 1}, .message = "m"}),
            "f:3:1: error: m");
  EXPECT_EQ(RenderProblem("f", "", {.mark = {.line = 1, .column = 1}, .message = "m"}),
            "f:1:1: error: m\n    1 | \n      | ^");
}

TEST(Render, AlignsTabsAndWideCharacters) {
  EXPECT_EQ(RenderProblem("f", "\ta\t b", {.mark = {.line = 1, .column = 5}, .message = "m"}),
            "f:1:5: error: m\n    1 | \ta\t b\n      | \t \t ^");
  EXPECT_EQ(RenderProblem(
                "f", "\xE6\x97\xA5\xC3\xA9: x", {.mark = {.line = 1, .column = 5}, .message = "m"}),
            "f:1:5: error: m\n    1 | \xE6\x97\xA5\xC3\xA9: x\n      |      ^");
}

TEST(Render, CutsLongLinesAroundTheCaret) {
  std::string line;
  for (int i = 0; i < 100; ++i) line += StrCat(1000 + i, " ");
  const auto render = [&](int column) {
    return RenderProblem("f", line + "\r\nnext", {.mark = {1, column}, .message = "m"});
  };
  EXPECT_EQ(render(251),
            "f:1:251: error: m\n"
            "    1 | ...1038 1039 1040 1041 1042 1043 1044 1045 1046 1047 1048 1049 1050 1051 1052 "
            "1053 1054 1055 1056 1...\n"
            "      |                                                                ^");
  EXPECT_EQ(render(1),
            "f:1:1: error: m\n"
            "    1 | 1000 1001 1002 1003 1004 1005 1006 1007 1008 1009 1010 1011 1012 1013 1014 "
            "1015 1016 1017 1018 1...\n"
            "      | ^");
  EXPECT_EQ(render(501),
            "f:1:501: error: m\n"
            "    1 | ...1088 1089 1090 1091 1092 1093 1094 1095 1096 1097 1098 1099 \n"
            "      |                                                                ^");
}

// Nothing of the input reaches the terminal as anything but visible characters.
TEST(Render, HidesControlCharacters) {
  EXPECT_EQ(
      RenderProblem(
          "f\x1b[1m",
          "a\x1b[31m\x7f\xff\xC2\x9B\xE2\x80\xAEz",
          {.mark = {.line = 1, .column = 11}, .message = "bad \"\n\x07\"", .hint = "\xE2\x80\xAE"}),
      "f\\x1B[1m:1:11: error: bad \"\\x0A\\x07\"\n"
      "    1 | a\\x1B[31m\\x7F\\xFF\\xC2\\x9B\\xE2\\x80\\xAEz\n"
      "      |                                      ^\n"
      "hint: \\xE2\\x80\\xAE");
  const std::string rendered = RenderProblem(Repeat("\x01", 1000),
                                             Repeat("\x01", 1000),
                                             {.mark = {1, 500}, .message = Repeat("\x01", 1000)});
  EXPECT_LT(rendered.size(), 6000U);
}

std::string RandomString() {
  std::string out;
  for (const uint32_t draw :
       *rc::gen::container<std::vector<uint32_t>>(rc::gen::arbitrary<uint32_t>())) {
    // Mostly characters that mean something to YAML, sometimes any.
    static constexpr std::string_view kSpecial = " \t\n\r\"'\\:,-?#&*!|>%@`[]{}~<=0e.aZ\x01\x7f";
    const uint32_t code = draw % 4 == 0
                              ? (draw / 4) % 0x110000
                              : static_cast<uint32_t>(kSpecial[(draw / 4) % kSpecial.size()]);
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | (code >> 6)), put(0x80 | (code & 63));
    } else if (code < 0x10000) {
      put(0xE0 | (code >> 12)), put(0x80 | ((code >> 6) & 63)), put(0x80 | (code & 63));
    } else {
      put(0xF0 | (code >> 18)), put(0x80 | ((code >> 12) & 63));
      put(0x80 | ((code >> 6) & 63)), put(0x80 | (code & 63));
    }
  }
  return out;
}

Value RandomValue(int depth);

Value RandomList(int size, int depth) {
  Value::Array list;
  for (int i = 0; i < size; ++i) list.push_back(RandomValue(depth));
  return list;
}

Value RandomValue(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 9 : 6)) {
    case 0:
      return {};
    case 1:
      return *rc::gen::arbitrary<bool>();
    case 2:
      return *rc::gen::arbitrary<int64_t>();
    case 3: {
      const auto any = std::bit_cast<double>(*rc::gen::arbitrary<uint64_t>());
      return std::isfinite(any) ? any : 0.1;
    }
    case 4:
      return *rc::gen::arbitrary<double>();
    case 5:
      return RandomString();
    case 6:
      return RandomList(*rc::gen::inRange(0, 5), depth - 1);
    default: {
      Value::Object map;
      const int size = *rc::gen::inRange(0, 5);
      for (int i = 0; i < size; ++i) map[RandomString()] = RandomValue(depth - 1);
      return map;
    }
  }
}

RC_GTEST_PROP(YamlProperty, ReadsJsonAsItIs, ()) {
  const Value value = RandomList(20, 4);
  for (const std::string& json : {value.ToJson(), value.ToPrettyJson()}) {
    const absl::StatusOr<YamlDocument> document = ParseYaml(json, "t");
    if (!document.ok()) RC_FAIL(StrCat(json, "\n", document.status().message()));
    RC_ASSERT(document->value() == value);
  }
}

// Every value of what was read has a place.
void CheckPlaces(const YamlDocument& document, const Value& value, const std::string& path) {
  RC_ASSERT(document.ValueMark(path).has_value());
  if (value.is_array()) {
    for (size_t i = 0; i < value.as_array().size(); ++i) {
      CheckPlaces(document, value.as_array()[i], StrCat(path, "[", i, "]"));
    }
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) {
      if (!key.empty()) CheckPlaces(document, item, path.empty() ? key : StrCat(path, ".", key));
    }
  }
}

RC_GTEST_PROP(YamlProperty, EveryValueHasAPlace, ()) {
  const absl::StatusOr<YamlDocument> document = ParseYaml(RandomList(20, 4).ToJson(), "t");
  RC_ASSERT(document.ok());
  CheckPlaces(*document, document->value(), "");
}

}  // namespace
}  // namespace det
