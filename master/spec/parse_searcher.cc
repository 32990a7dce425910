#include <algorithm>

#include "common/base/map_reader.h"
#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"
#include "master/spec/reading.h"

namespace det::spec {
namespace {

enum class Method { kSingle, kRandom, kGrid, kAsyncHalving, kAdaptiveAsha };

const std::vector<std::string>& MethodNames() {
  static const std::vector<std::string> names = {
      "single", "random", "grid", "async_halving", "adaptive_asha"};
  return names;
}

const std::vector<std::string>& ModeNames() {
  static const std::vector<std::string> names = {"aggressive", "standard", "conservative"};
  return names;
}

const std::vector<std::string>& RetiredMethods() {
  static const std::vector<std::string> names = {
      "adaptive", "adaptive_simple", "sync_halving", "custom", "pbt"};
  return names;
}

// As everywhere, or a bare number, which older files used for batches.
std::optional<Length> ReadMaxLength(MapReader& reader, Problems* problems) {
  const Value* value = reader.Take("max_length");
  if (value == nullptr || !value->is_number()) return ReadLength(reader, "max_length", 1, problems);
  Length length;
  reader.Int("max_length", 1, kLengthMax, &length.units);
  return length;
}

void ReadConcurrency(MapReader& reader, int64_t* out) {
  reader.Int("max_concurrent_trials", 0, kConcurrentTrialsMax, out);
  if (*out > kOpenTrialsMax) {
    reader.Warn(
        "max_concurrent_trials",
        StrCat("is ", *out, "; an experiment has at most ", kOpenTrialsMax, " trials open"));
  }
}

// time_metric and max_time, or what an older file's max_length says of them.
void ReadTime(MapReader& reader,
              const std::optional<Length>& max_length,
              std::string* time_metric,
              int64_t* max_time) {
  const bool has_metric = reader.Take("time_metric") != nullptr;
  const bool has_time = reader.Take("max_time") != nullptr;
  reader.Line("time_metric", kNameBytesMax, time_metric);
  reader.Int("max_time", 1, kLengthMax, max_time);
  if (has_metric && has_time) return;
  if (!max_length.has_value() || has_metric || has_time) {
    reader.Required("time_metric");
    reader.Required("max_time");
    return;
  }
  *time_metric = std::string(LengthUnitName(max_length->unit));
  *max_time = max_length->units;
  reader.Warn(
      "max_length",
      StrCat("is the older form; taken as time_metric: ", *time_metric, ", max_time: ", *max_time));
}

void ReadDivisor(MapReader& reader, double* divisor) {
  reader.Number("divisor", divisor);
  if (!(*divisor > 1 && *divisor <= kDivisorMax)) {
    reader.Broken(
        "divisor",
        StrCat("is ", FormatDouble(*divisor), ", must be above 1 and at most ", kDivisorMax));
  }
}

AsyncHalvingSpec ReadAsyncHalving(MapReader& reader, const SearcherSpec& common) {
  AsyncHalvingSpec spec;
  reader.Required("num_rungs");
  reader.Required("max_trials");
  reader.Int("num_rungs", 1, kRungsMax, &spec.num_rungs);
  reader.Int("max_trials", 1, kTrialsMax, &spec.max_trials);
  ReadDivisor(reader, &spec.divisor);
  ReadConcurrency(reader, &spec.max_concurrent_trials);
  ReadTime(reader, common.max_length, &spec.time_metric, &spec.max_time);
  reader.Ignore("stop_once");
  return spec;
}

void ReadBracketRungs(MapReader& reader, std::vector<int64_t>* out) {
  const Value::Array* rungs = TakeList(reader, "bracket_rungs", kRungsMax);
  if (rungs == nullptr) return;
  bool in_range = true;
  for (const Value& rung : *rungs) {
    if (!rung.is_int()) {
      return reader.Error("bracket_rungs", StrCat("must hold whole numbers from 1 to ", kRungsMax));
    }
    in_range = in_range && rung.as_int() >= 1 && rung.as_int() <= kRungsMax;
    out->push_back(rung.as_int());
  }
  if (!in_range) {
    reader.Broken("bracket_rungs", StrCat("must hold whole numbers from 1 to ", kRungsMax));
  }
}

AdaptiveAshaSpec ReadAdaptiveAsha(MapReader& reader, const SearcherSpec& common) {
  AdaptiveAshaSpec spec;
  reader.Required("max_trials");
  reader.Int("max_trials", 1, kTrialsMax, &spec.max_trials);
  reader.Enum("mode", ModeNames(), &spec.mode);
  ReadDivisor(reader, &spec.divisor);
  reader.Int("max_rungs", 1, kRungsMax, &spec.max_rungs);
  ReadBracketRungs(reader, &spec.bracket_rungs);
  ReadConcurrency(reader, &spec.max_concurrent_trials);
  ReadTime(reader, common.max_length, &spec.time_metric, &spec.max_time);
  reader.Ignore("stop_once");
  return spec;
}

void ReadMethod(MapReader& reader, Method method, SearcherSpec* spec) {
  switch (method) {
    case Method::kSingle:
      spec->method = SingleSpec{};
      return;
    case Method::kRandom: {
      RandomSpec random;
      reader.Required("max_trials");
      reader.Int("max_trials", 1, kTrialsMax, &random.max_trials);
      ReadConcurrency(reader, &random.max_concurrent_trials);
      spec->method = random;
      return;
    }
    case Method::kGrid: {
      GridSpec grid;
      ReadConcurrency(reader, &grid.max_concurrent_trials);
      spec->method = grid;
      return;
    }
    case Method::kAsyncHalving:
      spec->method = ReadAsyncHalving(reader, *spec);
      return;
    case Method::kAdaptiveAsha:
      spec->method = ReadAdaptiveAsha(reader, *spec);
      return;
  }
}

void ReadWarmStart(MapReader& reader, SearcherSpec* spec) {
  reader.OptionalInt("source_trial_id", 1, INT64_MAX, &spec->source_trial_id);
  if (reader.Take("source_checkpoint_uuid") != nullptr) {
    std::string uuid;
    reader.String("source_checkpoint_uuid", kNameBytesMax, &uuid);
    spec->source_checkpoint_uuid = uuid;
  }
  if (spec->source_trial_id.has_value() && spec->source_checkpoint_uuid.has_value()) {
    reader.Broken("source_trial_id", "and source_checkpoint_uuid exclude each other");
  }
}

bool IsRetired(const Value* name) {
  return name != nullptr && name->is_string() &&
         std::find(RetiredMethods().begin(), RetiredMethods().end(), name->as_string()) !=
             RetiredMethods().end();
}

void PutHalving(Value& out, double divisor, const std::string& time_metric, int64_t max_time) {
  out["divisor"] = divisor;
  out["time_metric"] = time_metric;
  out["max_time"] = max_time;
}

void PutMethod(Value& out, const SearchMethodSpec& method) {
  out["name"] = MethodNames()[method.index()];
  if (const auto* random = std::get_if<RandomSpec>(&method)) {
    out["max_trials"] = random->max_trials;
    out["max_concurrent_trials"] = random->max_concurrent_trials;
  } else if (const auto* grid = std::get_if<GridSpec>(&method)) {
    out["max_concurrent_trials"] = grid->max_concurrent_trials;
  } else if (const auto* halving = std::get_if<AsyncHalvingSpec>(&method)) {
    out["num_rungs"] = halving->num_rungs;
    out["max_trials"] = halving->max_trials;
    out["max_concurrent_trials"] = halving->max_concurrent_trials;
    PutHalving(out, halving->divisor, halving->time_metric, halving->max_time);
  } else if (const auto* asha = std::get_if<AdaptiveAshaSpec>(&method)) {
    out["max_trials"] = asha->max_trials;
    out["mode"] = ModeNames()[static_cast<size_t>(asha->mode)];
    out["max_rungs"] = asha->max_rungs;
    Value::Array rungs(asha->bracket_rungs.begin(), asha->bracket_rungs.end());
    out["bracket_rungs"] = std::move(rungs);
    out["max_concurrent_trials"] = asha->max_concurrent_trials;
    PutHalving(out, asha->divisor, asha->time_metric, asha->max_time);
  }
}

}  // namespace

std::string_view LengthUnitName(LengthUnit unit) {
  static constexpr std::string_view kNames[] = {"batches", "epochs", "records"};
  return kNames[static_cast<size_t>(unit)];
}

SearcherSpec ParseSearcher(const Value& value, const std::string& path, Problems* problems) {
  SearcherSpec spec;
  MapReader reader(value, path, problems);
  reader.Required("name");
  reader.Required("metric");
  if (IsRetired(reader.Take("name"))) {
    reader.Error("name",
                 StrCat("the searcher ", reader.Take("name")->ToJson(), " is no longer supported"),
                 "use adaptive_asha, with time_metric and max_time");
    return spec;
  }
  int method = -1;
  reader.Enum("name", MethodNames(), &method);
  reader.Line("metric", kNameBytesMax, &spec.metric);
  reader.Bool("smaller_is_better", &spec.smaller_is_better);
  spec.max_length = ReadMaxLength(reader, problems);
  ReadWarmStart(reader, &spec);
  if (method < 0) return spec;
  ReadMethod(reader, static_cast<Method>(method), &spec);
  reader.Finish();
  return spec;
}

std::string_view SearcherName(const SearcherSpec& searcher) {
  return MethodNames()[searcher.method.index()];
}

Value SearcherToValue(const SearcherSpec& searcher) {
  Value out;
  PutMethod(out, searcher.method);
  out["metric"] = searcher.metric;
  out["smaller_is_better"] = searcher.smaller_is_better;
  if (searcher.max_length.has_value()) out["max_length"] = LengthToValue(*searcher.max_length);
  if (searcher.source_trial_id.has_value()) out["source_trial_id"] = *searcher.source_trial_id;
  if (searcher.source_checkpoint_uuid.has_value()) {
    out["source_checkpoint_uuid"] = *searcher.source_checkpoint_uuid;
  }
  return out;
}

}  // namespace det::spec
