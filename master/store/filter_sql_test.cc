// What a filter lets through is the same in memory and in PostgreSQL.
#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/base/strings.h"
#include "common/filter/filter.h"
#include "common/filter/sort.h"
#include "common/filter/testing.h"
#include "common/json/json.h"
#include "common/pg/pg.h"
#include "master/testing/test_database.h"

namespace det::store {
namespace {

using filter::Datum;
using filter::Field;
using filter::Type;
using Data = std::map<std::string, Datum>;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

const filter::FieldTable& Table() {
  static const filter::FieldTable table("a thing",
                                        {{.name = "n", .type = Type::kInteger, .sql = "n"},
                                         {.name = "x", .type = Type::kNumber, .sql = "x"},
                                         {.name = "s", .sql = "s"},
                                         {.name = "b", .type = Type::kBoolean, .sql = "b"},
                                         {.name = "t", .type = Type::kTime, .sql = "t"},
                                         {.name = "d", .type = Type::kDuration, .sql = "d"},
                                         {.name = "l", .type = Type::kTextList, .sql = "l"},
                                         {.name = "j", .type = Type::kJson, .sql = "j"}});
  return table;
}

// Each column goes through values with a grudge: none, ends of types, NaN, quotes, other alphabets.
std::vector<Data> Things() {
  const std::vector<Datum> integers = {
      {}, int64_t{0}, int64_t{7}, int64_t{-3}, INT64_MAX, INT64_MIN, int64_t{1} << 53};
  const std::vector<Datum> numbers = {{}, 0.0, -0.0, 1.5, -1e300, std::nan(""), HUGE_VAL, 7.0};
  const std::vector<Datum> texts = {{},
                                    std::string(),
                                    std::string("a"),
                                    std::string("A"),
                                    std::string("it's \"x\""),
                                    std::string("Ünïcode"),
                                    std::string("aé"),
                                    std::string("7"),
                                    std::string("\\d\n")};
  const std::vector<Datum> booleans = {{}, true, false};
  const std::vector<Datum> times = {
      {}, kNow, kNow - absl::Hours(2), kNow - absl::Hours(48), absl::UnixEpoch()};
  const std::vector<Datum> durations = {{}, absl::Minutes(90), absl::ZeroDuration()};
  using List = std::vector<std::string>;
  const std::vector<Datum> lists = {{}, List{}, List{"a"}, List{"A b", "7"}, List{"it's", ""}};
  std::vector<Datum> objects = {{}};
  for (const char* json : {R"({})",
                           R"({"k":1})",
                           R"({"k":1.5,"o":{"p":"a"}})",
                           R"({"k":"a","o":{"p":true}})",
                           R"({"k":null,"o":[1]})",
                           R"({"k":true,"o":{"p":7}})",
                           R"({"k":[1,2],"a b":"7"})",
                           R"({"k":9007199254740993,"a.b":0.5})",
                           R"({"k":"NaN"})",
                           R"({"k":{"0":1}})"}) {
    objects.emplace_back(*ParseJson(json));
  }
  std::vector<Data> things;
  for (size_t i = 0; i < 60; ++i) {
    things.push_back({{"n", integers[i % integers.size()]},
                      {"x", numbers[i % numbers.size()]},
                      {"s", texts[i % texts.size()]},
                      {"b", booleans[i % booleans.size()]},
                      {"t", times[i % times.size()]},
                      {"d", durations[(i / 2) % durations.size()]},
                      {"l", lists[(i / 3) % lists.size()]},
                      {"j", objects[(i / 2) % objects.size()]}});
  }
  return things;
}

std::optional<std::string> SqlText(const Datum& datum) {
  if (std::holds_alternative<std::monostate>(datum)) return std::nullopt;
  if (const auto* v = std::get_if<bool>(&datum)) return *v ? "true" : "false";
  if (const auto* v = std::get_if<int64_t>(&datum)) return StrCat(*v);
  if (const auto* v = std::get_if<double>(&datum)) return FormatDouble(*v);
  if (const auto* v = std::get_if<absl::Time>(&datum)) return pg::Timestamp(*v);
  if (const auto* v = std::get_if<absl::Duration>(&datum))
    return FormatDouble(absl::ToDoubleSeconds(*v));
  if (const auto* v = std::get_if<std::vector<std::string>>(&datum)) return pg::ArrayOf(*v);
  if (const auto* v = std::get_if<Value>(&datum)) return v->ToJson();
  return std::get<std::string>(datum);
}

class Fixture {
 public:
  Fixture() : things(Things()), connection(database.conninfo()) {
    database.Exec(
        "CREATE TABLE things (id bigint PRIMARY KEY, n bigint, x float8, s text, b boolean, t "
        "timestamptz, d float8, l text[], j jsonb)");
    EXPECT_TRUE(connection
                    .Transact([&](pqxx::work& tx) {
                      for (size_t i = 0; i < things.size(); ++i) {
                        std::vector<std::optional<std::string>> row;
                        for (const Field& field : Table().fields())
                          row.push_back(SqlText(things[i].at(field.name)));
                        Insert(tx, i, row);
                      }
                    })
                    .ok());
  }

  std::vector<int64_t> Ids(const std::string& sql, const std::vector<std::string>& parameters) {
    std::vector<int64_t> ids;
    const absl::Status status = connection.Transact([&](pqxx::work& tx) {
      ids.clear();
      for (const auto& row : tx.exec_params(sql, pqxx::prepare::make_dynamic_params(parameters))) {
        ids.push_back(row[0].as<int64_t>());
      }
    });
    EXPECT_TRUE(status.ok()) << status << " in " << sql;
    return ids;
  }

  filter::Record RecordOf(size_t i) const {
    return [this, i](const Field& field) { return things[i].at(field.name); };
  }

  test::TestDatabase database{test::TestDatabase::Schema::kNone};
  std::vector<Data> things;
  pg::Connection connection;

 private:
  static void Insert(pqxx::work& tx,
                     size_t id,
                     const std::vector<std::optional<std::string>>& row) {
    std::string sql = StrCat("INSERT INTO things VALUES (", id);
    for (const auto& value : row)
      StrAppend(sql, ", ", value.has_value() ? tx.quote(*value) : std::string("NULL"));
    tx.exec(sql + ")");
  }
};

Fixture& Database() {
  static Fixture things;
  return things;
}

filter::Test AnyTest() {
  struct Kind {
    std::vector<std::string> field;
    std::vector<std::string> words;
    std::vector<filter::Op> ops;
  };
  using O = filter::Op;
  const std::vector<O> ordered = {
      O::kEqual, O::kNotEqual, O::kLess, O::kLessEqual, O::kGreater, O::kGreaterEqual, O::kIn};
  const std::vector<O> textual = {O::kEqual,
                                  O::kNotEqual,
                                  O::kLess,
                                  O::kLessEqual,
                                  O::kGreater,
                                  O::kGreaterEqual,
                                  O::kIn,
                                  O::kContains,
                                  O::kMatches};
  const std::vector<std::string> json = {
      "1", "1.5", "7", "a", "true", "false", "9007199254740992", "NaN", ""};
  const std::vector<Kind> kinds = {
      {{"n"},
       {"0", "7", "-3", "6.5", "9223372036854775807", "9007199254740992.0", "1e300"},
       ordered},
      {{"x"}, {"0", "-0.0", "1.5", "NaN", "inf", "-inf", "7"}, ordered},
      {{"s"}, {"", "a", "A", "it's \"x\"", "7", "É", "é", "ün", "Ü", "d"}, textual},
      {{"b"}, {"true", "false"}, {O::kEqual, O::kNotEqual, O::kIn}},
      {{"t"}, {"2h", "1d", "47h59m"}, {O::kLess, O::kLessEqual, O::kGreater, O::kGreaterEqual}},
      {{"t"},
       {"2027-01-15T08:00:00Z", "1970-01-01", "now", "99999h"},
       {O::kLess, O::kGreater, O::kGreaterEqual}},
      {{"d"}, {"1h30m", "0s", "2d", "-1s"}, ordered},
      {{"l"},
       {"a", "A b", "7", "it's", "", "x"},
       {O::kEqual, O::kNotEqual, O::kIn, O::kContains, O::kMatches}},
      {{"j", "k"}, json, textual},
      {{"j", "o", "p"}, json, textual},
      {{"j", "a b"}, json, ordered},
      {{"j", "a.b"}, {"0.5"}, ordered},
      {{"j", "none"}, json, ordered}};
  const Kind kind = *rc::gen::elementOf(kinds);
  filter::Test test{.field = kind.field, .op = *rc::gen::elementOf(kind.ops)};
  const int values = test.op == O::kIn ? *rc::gen::inRange(1, 4) : 1;
  for (int i = 0; i < values; ++i) test.values.push_back(filter::testing::AnyLiteral(kind.words));
  if ((test.op == O::kEqual || test.op == O::kIn) && *rc::gen::inRange(0, 6) == 0) {
    test.values[0] = {.text = "null"};
  }
  return test;
}

RC_GTEST_PROP(FilterSqlTest, GivesWhatTheFilterGivesInMemory, ()) {
  Fixture& database = Database();
  const std::string text = filter::Print(filter::testing::AnyNode(3, AnyTest));
  RC_LOG() << text << "\n";
  const auto filter = filter::Filter::Make(text, Table(), kNow);
  if (!filter.ok()) RC_LOG() << filter.status().ToString();
  RC_ASSERT(filter.ok());
  const filter::Sql sql = filter->ToSql(1);
  RC_LOG() << sql.text << "\n";
  const std::vector<int64_t> found = database.Ids(
      StrCat("SELECT id FROM things WHERE ", sql.text, " ORDER BY id"), sql.parameters);
  std::vector<int64_t> given;
  std::vector<int64_t> expected;
  for (size_t i = 0; i < database.things.size(); ++i) {
    if (filter->Matches(database.RecordOf(i))) expected.push_back(static_cast<int64_t>(i));
  }
  for (const int64_t id : found) {
    if (sql.exact || filter->Matches(database.RecordOf(static_cast<size_t>(id))))
      given.push_back(id);
  }
  RC_ASSERT(given == expected);
}

RC_GTEST_PROP(FilterSqlTest, SortsAsInMemory, ()) {
  Fixture& database = Database();
  std::vector<std::string> keys;
  const int size = *rc::gen::inRange(1, 4);
  for (int i = 0; i < size; ++i) {
    keys.push_back(StrCat(*rc::gen::element("n", "x", "s", "b", "t", "d", "j.k", "j.\"a b\""),
                          *rc::gen::element("", ":desc", ":asc")));
  }
  const auto sort = filter::Sort::Make(keys, Table());
  RC_ASSERT(sort.ok());
  const filter::Sql sql = sort->ToSql(1);
  const std::vector<int64_t> found =
      database.Ids(StrCat("SELECT id FROM things ORDER BY ", sql.text, ", id"), sql.parameters);
  std::vector<int64_t> expected;
  for (size_t i = 0; i < database.things.size(); ++i) expected.push_back(static_cast<int64_t>(i));
  std::stable_sort(expected.begin(), expected.end(), [&](int64_t a, int64_t b) {
    return sort->Compare(database.RecordOf(static_cast<size_t>(a)),
                         database.RecordOf(static_cast<size_t>(b))) < 0;
  });
  RC_LOG() << sql.text << "\n";
  RC_ASSERT(found == expected);
}

}  // namespace
}  // namespace det::store
