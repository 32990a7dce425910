#include "agent/relay/report_line.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"

namespace det::agent {
namespace {

constexpr std::string_view kPrefix = "{\"det\":";
constexpr size_t kNameBytesMax = 512;
constexpr size_t kMetricsMax = 100000;
constexpr size_t kWhyBytesMax = 500;

absl::Status Bad(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_REPORT", what);
}

absl::Status CheckGroup(std::string_view group) {
  if (group.empty() || group.size() > kNameBytesMax)
    return Bad("a group of metrics needs a name of 1 to 512 bytes");
  if (group.find('\0') != std::string_view::npos) return Bad("a group's name holds a NUL byte");
  if (group.find('.') != std::string_view::npos) return Bad("a group's name holds a \".\"");
  return absl::OkStatus();
}

absl::Status CheckMetrics(const Value& metrics) {
  if (!metrics.is_object()) return Bad("metrics must be a map from names to values");
  if (metrics.as_object().size() > kMetricsMax) return Bad("a report has more than 100000 metrics");
  for (const auto& [name, value] : metrics.as_object()) {
    if (name.empty() || name.size() > kNameBytesMax)
      return Bad("a metric needs a name of 1 to 512 bytes");
    if (name.find('\0') != std::string::npos) return Bad("a metric's name holds a NUL byte");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Report> FromMetrics(const trial::v1::Metrics& m) {
  DET_RETURN_IF_ERROR(CheckGroup(m.group()));
  if (m.steps_completed() < 0) return Bad("steps_completed is below 0");
  DET_ASSIGN_OR_RETURN(const Value values, ParseJson(m.metrics_json()));
  DET_RETURN_IF_ERROR(CheckMetrics(values));
  v1::Report report;
  report.mutable_metrics()->set_group(m.group());
  report.mutable_metrics()->set_steps_completed(m.steps_completed());
  report.mutable_metrics()->set_metrics_json(values.ToJson());
  return report;
}

absl::Status CheckObject(const std::string& json, std::string_view what) {
  if (json.empty()) return absl::OkStatus();
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(json));
  return value.is_object() ? absl::OkStatus() : Bad(StrCat(what, " must be a map"));
}

absl::StatusOr<v1::Report> FromCheckpoint(const trial::v1::Checkpoint& c) {
  if (c.uuid().empty() || c.uuid().size() > 128 || c.uuid().find('/') != std::string::npos ||
      c.uuid().starts_with('.')) {
    return Bad(
        "a checkpoint's uuid is the name of its folder: 1 to 128 bytes, without \"/\", not hidden");
  }
  if (c.steps_completed() < 0 || c.bytes() < 0) return Bad("steps_completed or bytes is below 0");
  DET_RETURN_IF_ERROR(CheckObject(c.files_json(), "files_json"));
  DET_RETURN_IF_ERROR(CheckObject(c.metadata_json(), "metadata_json"));
  v1::Report report;
  v1::Checkpoint* out = report.mutable_checkpoint();
  out->set_uuid(c.uuid());
  out->set_steps_completed(c.steps_completed());
  out->set_bytes(c.bytes());
  out->set_files_json(c.files_json());
  out->set_metadata_json(c.metadata_json());
  return report;
}

absl::StatusOr<v1::Report> FromEarlyExit(const trial::v1::EarlyExit& exit) {
  v1::Report report;
  switch (exit.reason()) {
    case trial::v1::EarlyExit::REASON_USER_REQUESTED_STOP:
      report.mutable_stop();
      return report;
    case trial::v1::EarlyExit::REASON_INVALID_HPARAMS:
      report.mutable_invalid_hparams();
      return report;
    default:
      return Bad("early_exit needs a reason: REASON_USER_REQUESTED_STOP or REASON_INVALID_HPARAMS");
  }
}

}  // namespace

absl::StatusOr<v1::Report> ToReport(const trial::v1::ReportRequest& request) {
  switch (request.body_case()) {
    case trial::v1::ReportRequest::kMetrics:
      return FromMetrics(request.metrics());
    case trial::v1::ReportRequest::kCheckpoint:
      return FromCheckpoint(request.checkpoint());
    case trial::v1::ReportRequest::kProgress: {
      const double fraction = request.progress().fraction();
      if (!(fraction >= 0 && fraction <= 1)) return Bad("progress must be from 0 to 1");
      v1::Report report;
      report.mutable_progress()->set_fraction(fraction);
      return report;
    }
    case trial::v1::ReportRequest::kInvalidHparams: {
      v1::Report report;
      report.mutable_invalid_hparams();
      return report;
    }
    case trial::v1::ReportRequest::kEarlyExit:
      return FromEarlyExit(request.early_exit());
    case trial::v1::ReportRequest::kPendingPreemption: {
      v1::Report report;
      report.mutable_pending_preemption();
      return report;
    }
    case trial::v1::ReportRequest::BODY_NOT_SET:
      break;
  }
  return Bad(
      "a report needs one of metrics, checkpoint, progress, invalid_hparams, early_exit, "
      "pending_preemption");
}

namespace {

// Python's json.dumps, among others, writes bare NaN and Infinity, which are no JSON: strings of
// that name mean the same.
std::string QuoteNonFinite(std::string_view line) {
  std::string out;
  out.reserve(line.size() + 16);
  bool in_string = false;
  for (size_t i = 0; i < line.size();) {
    const std::string_view rest = line.substr(i);
    size_t taken = 1;
    if (in_string) {
      if (rest[0] == '\\' && rest.size() > 1) taken = 2;
      in_string = rest[0] != '"';
    } else if (rest[0] == '"') {
      in_string = true;
    } else {
      for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (rest.starts_with(word)) taken = word.size();
      }
    }
    const bool quote = taken > 2;
    StrAppend(out, quote ? "\"" : "", rest.substr(0, taken), quote ? "\"" : "");
    i += taken;
  }
  return out;
}

absl::StatusOr<v1::Report> MemberReport(const std::string& key, const Value& member) {
  v1::Report report;
  if (key == "progress") {
    if (!member.is_number() || !(member.as_number() >= 0 && member.as_number() <= 1))
      return Bad("progress must be a number from 0 to 1");
    report.mutable_progress()->set_fraction(member.as_number());
    return report;
  }
  DET_RETURN_IF_ERROR(CheckGroup(key));
  DET_RETURN_IF_ERROR(CheckMetrics(member));
  report.mutable_metrics()->set_group(key);
  report.mutable_metrics()->set_metrics_json(member.ToJson());
  return report;
}

// In words of our own: the parser's are about its insides.
absl::Status NoJson(const absl::Status& status) {
  const std::string_view why = FromAbsl(status.message());
  const bool too_large = why.find("out_of_range") != std::string_view::npos;
  if (too_large) return Bad("a number in it is larger than a double can be");
  if (why.find("duplicate key") != std::string_view::npos) return Bad("a key stands in it twice");
  return Bad("it is no valid JSON");
}

v1::Report Unreadable(int64_t number, std::string_view why) {
  v1::Report report;
  report.mutable_unreadable()->set_why(
      StrCat("line ", number, " of the log begins as a report but is none: ", why));
  return report;
}

absl::StatusOr<std::vector<v1::Report>> Parse(std::string_view line, int64_t number) {
  const absl::StatusOr<Value> parsed = ParseJson(QuoteNonFinite(line));
  if (!parsed.ok()) return NoJson(parsed.status());
  const Value& value = *parsed;
  const Value* det = value.Find("det");
  if (det == nullptr || !det->is_object() || value.as_object().size() != 1)
    return Bad("a report is {\"det\": {...}} and nothing else");
  int64_t steps = number;
  if (const Value* given = det->Find("steps")) {
    if (!given->is_int() || given->as_int() < 0) return Bad("steps must be a whole number from 0");
    steps = given->as_int();
  }
  std::vector<v1::Report> reports;
  for (const auto& [key, member] : det->as_object()) {
    if (key == "steps") continue;
    if (static_cast<int64_t>(reports.size()) == kReportsPerLineMax) break;
    DET_ASSIGN_OR_RETURN(v1::Report report, MemberReport(key, member));
    if (report.has_metrics()) report.mutable_metrics()->set_steps_completed(steps);
    reports.push_back(std::move(report));
  }
  return reports;
}

// An error may quote the line, which may be any bytes; a string of a message may not.
std::string Plain(const absl::Status& status) {
  std::string text(FromAbsl(status.message()).substr(0, kWhyBytesMax));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

}  // namespace

std::vector<v1::Report> ReadReportLine(std::string_view line, int64_t number) {
  if (!line.starts_with(kPrefix)) return {};
  absl::StatusOr<std::vector<v1::Report>> reports = Parse(line, number);
  if (reports.ok()) return *std::move(reports);
  return {Unreadable(number, Plain(reports.status()))};
}

std::vector<v1::Report> ReadTooLongLine(std::string_view begin, int64_t number) {
  if (!begin.starts_with(kPrefix)) return {};
  return {Unreadable(number,
                     StrCat("it is longer than ",
                            kReportLineBytesMax,
                            " bytes (1 MiB), the most "
                            "that a line with reports may have"))};
}

}  // namespace det::agent
