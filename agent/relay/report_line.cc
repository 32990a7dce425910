#include "agent/relay/report_line.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"

namespace det::agent {
namespace {

constexpr std::string_view kPrefix = "{\"det\":";
constexpr size_t kNameBytesMax = 512;
constexpr size_t kMetricsMax = 100000;

absl::Status Bad(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_REPORT", what);
}

absl::Status CheckGroup(std::string_view group) {
  if (group.empty() || group.size() > kNameBytesMax)
    return Bad("a group of metrics needs a name of 1 to 512 bytes");
  if (group.find('\0') != std::string_view::npos) return Bad("a group's name holds a NUL byte");
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
    case trial::v1::ReportRequest::BODY_NOT_SET:
      break;
  }
  return Bad("a report needs one of metrics, checkpoint, progress, invalid_hparams");
}

std::vector<v1::Report> ReadReportLine(std::string_view line, int64_t number) {
  std::vector<v1::Report> reports;
  if (!line.starts_with(kPrefix)) return reports;
  const absl::StatusOr<Value> value = ParseJson(line);
  const Value* det = value.ok() ? value->Find("det") : nullptr;
  if (det == nullptr || !det->is_object() || value->as_object().size() != 1) return reports;
  int64_t steps = number;
  if (const Value* given = det->Find("steps")) {
    if (!given->is_int() || given->as_int() < 0) return reports;
    steps = given->as_int();
  }
  for (const auto& [key, member] : det->as_object()) {
    if (key == "steps") continue;
    v1::Report report;
    if (key == "progress") {
      if (!member.is_number() || !(member.as_number() >= 0 && member.as_number() <= 1)) return {};
      report.mutable_progress()->set_fraction(member.as_number());
    } else {
      if (!CheckGroup(key).ok() || !CheckMetrics(member).ok()) return {};
      report.mutable_metrics()->set_group(key);
      report.mutable_metrics()->set_metrics_json(member.ToJson());
      report.mutable_metrics()->set_steps_completed(steps);
    }
    reports.push_back(std::move(report));
    if (static_cast<int64_t>(reports.size()) == kReportsPerLineMax) break;
  }
  return reports;
}

}  // namespace det::agent
