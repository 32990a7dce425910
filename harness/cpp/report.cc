#include <cmath>

#include <nlohmann/json.hpp>

#include "harness/cpp/backend.h"

namespace det::harness {
namespace {

using Json = nlohmann::json;

// JSON has no word for these: they travel as strings, as in proto3's JSON.
Json NumberToJson(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json ToJson(const MetricsReport& report) {
  Json metrics = Json::object();
  for (const auto& [name, value] : report.metrics) metrics[name] = NumberToJson(value);
  return {{"metrics",
           {{"group", report.group},
            {"steps_completed", report.steps},
            {"metrics_json", metrics.dump()}}}};
}

Json ToJson(const CheckpointReport& report) {
  if (!Json::parse(report.metadata_json).is_object()) {
    throw Error("the metadata of a checkpoint must be a JSON object");
  }
  int64_t bytes = 0;
  for (const auto& [path, size] : report.files) bytes += size;
  return {{"checkpoint",
           {{"uuid", report.uuid},
            {"steps_completed", report.steps},
            {"bytes", bytes},
            {"files_json", Json(report.files).dump()},
            {"metadata_json", report.metadata_json}}}};
}

Json ToJson(const ProgressReport& report) {
  return {{"progress", {{"fraction", report.fraction}}}};
}

Json ToJson(const InvalidHparamsReport& /*report*/) {
  return {{"invalid_hparams", Json::object()}};
}

Json ToJson(const StopReport& /*report*/) {
  return {{"early_exit", {{"reason", "REASON_USER_REQUESTED_STOP"}}}};
}

}  // namespace

std::string ReportJson(int64_t seq, const ReportBody& body) {
  try {
    Json json = std::visit([](const auto& report) { return ToJson(report); }, body);
    json["seq"] = seq;
    return json.dump();
  } catch (const Json::exception& error) {
    throw Error(std::string("a report can't be written as JSON: ") + error.what());
  }
}

}  // namespace det::harness
