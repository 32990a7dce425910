#include "common/base/strings.h"
#include "master/spec/keys.h"
#include "master/spec/parse.h"

namespace det::spec {
namespace {

// A value that asks for something.
bool Asks(const Value* value) {
  if (value == nullptr || value->is_null()) return false;
  if (value->is_bool()) return value->as_bool();
  if (value->is_array()) return !value->as_array().empty();
  return !value->is_object() || !value->as_object().empty();
}

bool Is(const Value* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->as_string() == text;
}

// Determined 0.38 refuses it too: what a length is measured in must be a metric of the trial.
void CheckTime(const Value& config, Problems* problems) {
  const Value* searcher = config.Find("searcher");
  if (searcher == nullptr || !searcher->is_object()) return;
  const Value* name = searcher->Find("name");
  if (!Is(name, "adaptive_asha") && !Is(name, "async_halving")) return;
  const Value* length = searcher->Find("max_length");
  const Value* metric = searcher->Find("time_metric");
  if (length == nullptr || length->is_null() || (metric != nullptr && !metric->is_null())) return;
  problems->push_back(
      {.path = "searcher.max_length",
       .message = StrCat("is no longer supported by ",
                         name->as_string(),
                         ", which measures time by a metric that trials report"),
       .hint = "write time_metric and max_time instead, as in time_metric: epochs, max_time: 10"});
}

}  // namespace

void CheckCurrent(const Value& config, Problems* problems) {
  for (const Key& key : Keys()) {
    if (key.effect != Effect::kNotYet || !Asks(config.FindPath(key.path))) continue;
    problems->push_back({.severity = Problem::Severity::kWarning,
                         .path = std::string(key.path),
                         .message = "is accepted but has no effect in this version"});
  }
  CheckTime(config, problems);
}

}  // namespace det::spec
