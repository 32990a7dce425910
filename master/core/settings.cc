#include "master/core/settings.h"

#include <cmath>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/spec/limits.h"

namespace det::core {
namespace {

// Calls `visit(name, setting, field)` with each setting and its field of the specification.
template <class Settings, class Spec, class Visit>
void ForEach(Settings& settings, Spec& spec, Visit visit) {
  visit("priority", settings.priority, spec.resources.priority);
  visit("weight", settings.weight, spec.resources.weight);
  visit("max_slots", settings.max_slots, spec.resources.max_slots);
  visit("pool", settings.pool, spec.resources.resource_pool);
  visit("log_retention_days", settings.log_retention_days, spec.log_retention_days);
}

absl::Status Invalid(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_SETTING", what);
}

absl::Status CheckRange(std::string_view name,
                        const std::optional<int64_t>& value,
                        int64_t least,
                        int64_t most) {
  if (!value.has_value() || (*value >= least && *value <= most)) return absl::OkStatus();
  return Invalid(StrCat(name, " must be from ", least, " to ", most, ", not ", *value));
}

std::string Text(int64_t value) {
  return StrCat(value);
}
std::string Text(double value) {
  return FormatDouble(value);
}
std::string Text(const std::string& value) {
  return QuoteJson(value);
}
std::string Text(const std::optional<int64_t>& value) {
  return value.has_value() ? StrCat(*value) : "unset";
}

}  // namespace

absl::Status CheckSettings(const ExperimentSettings& settings) {
  if (settings == ExperimentSettings()) return Invalid("nothing is to be changed");
  DET_RETURN_IF_ERROR(CheckRange("priority", settings.priority, 1, 99));
  if (settings.weight.has_value() &&
      !(*settings.weight > 0 && *settings.weight <= spec::kWeightMax)) {
    return Invalid(StrCat(
        "weight must be above 0 and at most ", spec::kWeightMax, ", not ", Text(*settings.weight)));
  }
  if (settings.max_slots.has_value()) {
    DET_RETURN_IF_ERROR(CheckRange("max_slots", *settings.max_slots, 0, spec::kMaxSlotsMax));
  }
  if (settings.log_retention_days.has_value()) {
    DET_RETURN_IF_ERROR(CheckRange(
        "log_retention_days", *settings.log_retention_days, -1, spec::kLogRetentionDaysMax));
  }
  return absl::OkStatus();
}

ExperimentSettings Differing(const ExperimentSettings& settings, const spec::ExperimentSpec& spec) {
  ExperimentSettings differing = settings;
  ForEach(differing, spec, [](std::string_view /*name*/, auto& setting, const auto& field) {
    if (setting.has_value() && *setting == field) setting.reset();
  });
  return differing;
}

void ApplySettings(const ExperimentSettings& settings, spec::ExperimentSpec* spec) {
  ForEach(settings, *spec, [](std::string_view /*name*/, const auto& setting, auto& field) {
    if (setting.has_value()) field = *setting;
  });
}

std::string Describe(const ExperimentSettings& settings) {
  std::vector<std::string> parts;
  const spec::ExperimentSpec unused;
  ForEach(settings, unused, [&](std::string_view name, const auto& setting, const auto&) {
    if (setting.has_value()) parts.push_back(StrCat(name, " ", Text(*setting)));
  });
  return StrJoin(parts, ", ");
}

}  // namespace det::core
