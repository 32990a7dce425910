#include "cli/cmd/setting.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "cli/cmd/ids.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

absl::Status Bad(const Setting& s, std::string_view wants) {
  return Error(absl::StatusCode::kInvalidArgument,
               "USAGE",
               StrCat(s.name, " must be ", wants, ", not ", QuoteJson(s.value)));
}

absl::StatusOr<int64_t> Whole(const Setting& s, std::string_view wants) {
  const std::string& text = s.value;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Bad(s, wants);
  return value;
}

absl::StatusOr<double> Number(const Setting& s) {
  char* end = nullptr;
  const double value = std::strtod(s.value.c_str(), &end);
  if (s.value.empty() || *end != '\0' || !std::isfinite(value)) {
    return Bad(s, "a number");
  }
  return value;
}

absl::Status FillLogRetention(const Setting& s, api::ConfigureExperimentRequest* request) {
  request->set_log_retention_days_unset(s.value == "default");
  if (s.value == "default") return absl::OkStatus();
  if (s.value == "forever") {
    request->set_log_retention_days(-1);
    return absl::OkStatus();
  }
  DET_ASSIGN_OR_RETURN(const int64_t days,
                       Whole(s, "a number of days, \"forever\" or \"default\""));
  request->set_log_retention_days(days);
  return absl::OkStatus();
}

absl::Status FillPlace(const Setting& s, api::ConfigureExperimentRequest* request) {
  DET_ASSIGN_OR_RETURN(const int64_t beside, ParseId(s.value, 'e', "experiment"));
  if (s.name == "ahead-of") {
    request->set_ahead_of(beside);
  } else {
    request->set_behind_of(beside);
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& JobSettings() {
  static const auto* const names = new std::vector<std::string>{
      "priority", "weight", "max-slots", "resource-pool", "ahead-of", "behind-of"};
  return *names;
}

absl::Status Fill(const Setting& s, api::ConfigureExperimentRequest* request) {
  if (s.name == "pool" || s.name == "resource-pool") {
    request->set_pool(s.value);
    return absl::OkStatus();
  }
  if (s.name == "ahead-of" || s.name == "behind-of") return FillPlace(s, request);
  if (s.name == "log-retention") return FillLogRetention(s, request);
  if (s.name == "weight") {
    DET_ASSIGN_OR_RETURN(const double weight, Number(s));
    request->set_weight(weight);
    return absl::OkStatus();
  }
  if (s.name == "max-slots" && s.value == "none") {
    request->set_max_slots_unset(true);
    return absl::OkStatus();
  }
  const std::string_view wants = s.name == "max-slots" ? "a whole number or \"none\"" : "a number";
  DET_ASSIGN_OR_RETURN(const int64_t value, Whole(s, wants));
  if (s.name == "priority") request->set_priority(value);
  if (s.name == "max-slots") request->set_max_slots(value);
  return absl::OkStatus();
}

}  // namespace det::cli
