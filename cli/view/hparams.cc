#include "cli/view/hparams.h"

#include "cli/format/quantity.h"
#include "common/base/strings.h"
#include "common/json/json.h"

namespace det::cli {
namespace {

Cell LeafCell(const Value& value) {
  if (value.is_int()) return value.as_int();
  if (value.is_double()) return value.as_double();
  if (value.is_string()) return value.as_string();
  return value.ToJson();
}

void Flatten(const std::string& prefix, const Value& value, Hparams* out) {
  if (!value.is_object() || value.as_object().empty()) {
    out->emplace_back(prefix, LeafCell(value));
    return;
  }
  for (const auto& [key, member] : value.as_object()) {
    Flatten(prefix.empty() ? key : StrCat(prefix, ".", key), member, out);
  }
}

}  // namespace

Hparams FlattenHparams(const std::string& json) {
  Hparams hparams;
  const absl::StatusOr<Value> value = ParseJson(json.empty() ? "{}" : json);
  // A master that sends no JSON here is newer than we are: show what it says.
  if (!value.ok()) return {{"hparams", Cell(json)}};
  if (value->is_object() && value->as_object().empty()) return hparams;
  Flatten("", *value, &hparams);
  return hparams;
}

std::string CompactHparams(const std::string& json) {
  return StrJoin(FlattenHparams(json), " ", [](const auto& hparam) {
    const auto* number = std::get_if<double>(&hparam.second);
    return StrCat(hparam.first, "=", number ? MetricText(*number) : ExactText(hparam.second));
  });
}

}  // namespace det::cli
