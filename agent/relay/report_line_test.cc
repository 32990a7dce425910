#include "agent/relay/report_line.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::agent {
namespace {

std::vector<std::string> Read(std::string_view line, int64_t number = 7) {
  std::vector<std::string> all;
  for (const v1::Report& report : ReadReportLine(line, number)) {
    if (report.has_unreadable()) {
      EXPECT_THAT(report.unreadable().why(), ::testing::HasSubstr("begins as a report"));
      all.emplace_back("unreadable");
    } else if (report.has_progress()) {
      all.push_back(StrCat("progress ", report.progress().fraction()));
    } else {
      all.push_back(StrCat(report.metrics().group(),
                           " ",
                           report.metrics().steps_completed(),
                           " ",
                           report.metrics().metrics_json()));
    }
  }
  return all;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ReportLine, ReadsWhatTheContractSays) {
  EXPECT_THAT(Read(R"({"det":{"validation":{"accuracy":0.93},"steps":100}})"),
              ElementsAre(R"(validation 100 {"accuracy":0.93})"));
  EXPECT_THAT(Read(R"({"det":{"training":{"loss":1}}})"), ElementsAre(R"(training 7 {"loss":1})"));
  EXPECT_THAT(Read(R"({"det":{"progress":0.5}})"), ElementsAre("progress 0.5"));
  EXPECT_THAT(Read(R"({"det": {"a":{}, "progress":1, "steps":0, "b":{"x":[1,{"y":null}]}} }  )"),
              ElementsAre("a 0 {}", R"(b 0 {"x":[1,{"y":null}]})", "progress 1"));
  EXPECT_THAT(Read("{\"det\":{\"progress\":0}}\r"), ElementsAre("progress 0"));
}

TEST(ReportLine, TheRestAreOnlyLines) {
  for (const std::string_view line :
       {"", "hello", R"( {"det":{"progress":0.5}})", R"({ "det":{"progress":0.5}})"}) {
    EXPECT_THAT(Read(line), IsEmpty()) << line;
  }
}

TEST(ReportLine, WhatBeginsAsAReportIsNeverDroppedInSilence) {
  const std::string nul(1, '\0');
  for (const std::string& line : std::vector<std::string>{
           R"({"det":)",
           R"({"det":{"progress":0.5})",
           R"({"det":{"progress":0.5}} and more)",
           R"({"det":{"progress":0.5}}{"det":{"progress":0.5}})",
           R"({"det":{"progress":0.5},"more":1})",
           R"({"det":{"progress":0.5},"det":{"progress":0.6}})",
           R"({"det":1})",
           R"({"det":null})",
           R"({"det":[{"progress":0.5}]})",
           R"({"det":{"validation":1}})",
           R"({"det":{"validation":[1]}})",
           R"({"det":{"validation":{"x":1},"training":2}})",
           R"({"det":{"":{"x":1}}})",
           R"({"det":{"validation":{"":1}}})",
           R"({"det":{"validation":{"x":1e999}}})",
           R"({"det":{"progress":1e999}})",
           R"({"det":{"progress":-0.1}})",
           R"({"det":{"progress":1.5}})",
           R"({"det":{"progress":"0.5"}})",
           R"({"det":{"validation":{"x":1},"steps":-1}})",
           R"({"det":{"validation":{"x":1},"steps":1.5}})",
           R"({"det":{"validation":{"x":1},"steps":"1"}})",
           R"({"det":{"validation":{"x":1},"steps":99999999999999999999}})",
           R"({"det":{"a\u0000b":{"x":1}}})",
           R"({"det":{"validation":{"a\u0000b":1}}})",
           R"({"det":{"validation":{"x":"\ud800"}}})",
           "{\"det\":{\"validation\":{\"x\":\"\xff\xfe\"}}}",
           "{\"det\":{\"progress\":0.5" + nul + "}}",
           "{\"det\":" + std::string(200000, '['),
           "{\"det\":{\"a\":{\"b\":" + std::string(5000, '[') + std::string(5000, ']') + "}}}",
           StrCat(R"({"det":{")", std::string(600, 'g'), R"(":{"x":1}}})"),
           StrCat(R"({"det":{"g":{")", std::string(600, 'm'), R"(":1}}})")}) {
    EXPECT_THAT(Read(line), ElementsAre("unreadable")) << line.substr(0, 80);
  }
}

TEST(ReportLine, PythonsBareNaNIsANumber) {
  EXPECT_THAT(
      Read(
          R"({"det": {"validation": {"loss": NaN, "NaN \" -Infinity": [Infinity, -Infinity, 1]}}})"),
      ElementsAre(R"(validation 7 {"NaN \" -Infinity":["Infinity","-Infinity",1],"loss":"NaN"})"));
}

TEST(ReportLine, NumbersThatJsonLacksComeAsStrings) {
  EXPECT_THAT(Read(R"({"det":{"validation":{"x":"NaN","y":"-Infinity"}}})"),
              ElementsAre(R"(validation 7 {"x":"NaN","y":"-Infinity"})"));
}

TEST(ReportLine, AtMostSixtyFourOfALine) {
  std::string line = R"({"det":{"steps":3)";
  for (int i = 0; i < 200; ++i) StrAppend(line, ",\"g", i, "\":{\"x\":1}");
  EXPECT_EQ(Read(line + "}}").size(), kReportsPerLineMax);
}

TEST(ReportLine, LargeOnesAreRead) {
  std::string line = R"({"det":{"validation":{"m0":0)";
  for (int i = 1; i < 50000; ++i) StrAppend(line, ",\"m", i, "\":", i);
  EXPECT_EQ(Read(line + "}}}").size(), 1);
  for (int i = 50000; i < 100001; ++i) StrAppend(line, ",\"m", i, "\":", i);
  EXPECT_THAT(Read(line + "}}}"), ElementsAre("unreadable"));
}

// Whatever is printed: nothing breaks, what is read twice says the same, and what is read can be
// carried.
TEST(ReportLine, AnythingTwiceIsTheSame) {
  EXPECT_TRUE(rc::check([](const std::string& inside, int64_t number) {
    for (const std::string& line :
         {StrCat("{\"det\":", inside),
          StrCat("{\"det\":{\"", inside, "\":{\"x\":1}}}"),
          StrCat("{\"det\":{\"a\":{\"", inside, "\":\"", inside, "\"}}}")}) {
      const std::vector<v1::Report> once = ReadReportLine(line, number);
      const std::vector<v1::Report> twice = ReadReportLine(line, number);
      RC_ASSERT(once.size() == twice.size());
      for (size_t i = 0; i < once.size(); ++i) {
        RC_ASSERT(once[i].SerializeAsString() == twice[i].SerializeAsString());
        v1::Report carried;
        RC_ASSERT(carried.ParseFromString(once[i].SerializeAsString()));
      }
    }
  }));
}

trial::v1::ReportRequest Metrics(const std::string& group, const std::string& json) {
  trial::v1::ReportRequest request;
  request.mutable_metrics()->set_group(group);
  request.mutable_metrics()->set_metrics_json(json);
  return request;
}

TEST(ToReport, ChecksMetrics) {
  EXPECT_EQ(ToReport(Metrics("g", R"( {"x" : 1.50} )"))->metrics().metrics_json(), R"({"x":1.5})");
  for (const char* json : {"", "1", "[]", "null", "{", R"({"":1})", R"({"x":1,"x":2})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ToReport(Metrics("g", json)).status())) << json;
  }
  EXPECT_EQ(ErrorReason(ToReport(Metrics("", "{}")).status()), "INVALID_REPORT");
  trial::v1::ReportRequest request = Metrics("g", "{}");
  request.mutable_metrics()->set_steps_completed(-1);
  EXPECT_FALSE(ToReport(request).ok());
  EXPECT_FALSE(ToReport({}).ok());
}

TEST(ToReport, ChecksCheckpointsAndProgress) {
  trial::v1::ReportRequest request;
  for (const char* uuid : {"", ".", "..", ".tmp-1", "a/b", "/a"}) {
    request.mutable_checkpoint()->set_uuid(uuid);
    EXPECT_FALSE(ToReport(request).ok()) << uuid;
  }
  request.mutable_checkpoint()->set_uuid("u");
  EXPECT_TRUE(ToReport(request).ok());
  request.mutable_checkpoint()->set_files_json("[]");
  EXPECT_FALSE(ToReport(request).ok());
  request.mutable_checkpoint()->set_files_json(R"({"f":1})");
  request.mutable_checkpoint()->set_bytes(-1);
  EXPECT_FALSE(ToReport(request).ok());
  for (const double fraction : {-0.1, 1.1, std::nan(""), HUGE_VAL}) {
    request.mutable_progress()->set_fraction(fraction);
    EXPECT_FALSE(ToReport(request).ok()) << fraction;
  }
  request.mutable_progress()->set_fraction(1);
  EXPECT_TRUE(ToReport(request).ok());
  request.mutable_invalid_hparams();
  EXPECT_TRUE(ToReport(request)->has_invalid_hparams());
  request.mutable_early_exit();
  EXPECT_FALSE(ToReport(request).ok());
  request.mutable_early_exit()->set_reason(trial::v1::EarlyExit::REASON_INVALID_HPARAMS);
  EXPECT_TRUE(ToReport(request)->has_invalid_hparams());
  request.mutable_early_exit()->set_reason(trial::v1::EarlyExit::REASON_USER_REQUESTED_STOP);
  EXPECT_TRUE(ToReport(request)->has_stop());
  request.mutable_pending_preemption();
  EXPECT_TRUE(ToReport(request)->has_pending_preemption());
}

TEST(ReportLine, WhatCannotBeReadIsSaidInWordsOfTheContract) {
  const auto why = [](const std::vector<v1::Report>& reports) {
    return reports.size() == 1 ? reports[0].unreadable().why() : std::string();
  };
  EXPECT_EQ(why(ReadReportLine(R"({"det":{"training":{"loss":1e999}}})", 4)),
            "line 4 of the log begins as a report but is none: a number in it is larger than a "
            "double can be");
  EXPECT_EQ(why(ReadReportLine(R"({"det":{"training":)", 5)),
            "line 5 of the log begins as a report but is none: it is no valid JSON");
  EXPECT_THAT(why(ReadTooLongLine(R"({"det":{"training":{"loss":1)", 6)),
              ::testing::HasSubstr("longer than 1048576 bytes"));
  EXPECT_TRUE(ReadTooLongLine("only a long line", 7).empty());
}

}  // namespace
}  // namespace det::agent
