#include <algorithm>
#include <cmath>
#include <functional>

#include "common/base/map_reader.h"
#include "common/base/nearest.h"
#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"

namespace det::spec {
namespace {

const std::vector<std::string>& ScaleNames() {
  static const std::vector<std::string> names = {"linear", "log", "reverse_log"};
  return names;
}

// Reads one space and counts its leaves.
class HparamParser {
 public:
  explicit HparamParser(Problems* problems) : problems_(problems) {}

  HparamMap Map(const Value& value, const std::string& path, int depth) {
    HparamMap map;
    if (depth > kHparamDepthMax) {
      Error(path, StrCat("is nested deeper than ", kHparamDepthMax, " levels"));
      return map;
    }
    for (const auto& [name, item] : value.as_object()) {
      if (leaves_ > kHparamsMax) return map;  // refused already
      const std::string at = JoinPath(path, name);
      if (name.empty()) Error(at, "has an empty name");
      if (name.find('\0') != std::string::npos) Error(path, "has a name with a NUL byte");
      if (static_cast<int64_t>(name.size()) > kHparamNameBytesMax) {
        Broken(path, StrCat("has a name longer than ", kHparamNameBytesMax, " bytes"));
      }
      map[name] = One(item, at, depth);
    }
    return map;
  }

 private:
  Hparam One(const Value& value, const std::string& path, int depth) {
    if (value.is_object() && value.Find("type") == nullptr) {
      return Hparam{.kind = Map(value, path, depth + 1)};
    }
    if (++leaves_ == kHparamsMax + 1) {
      Error(path,
            StrCat("is one of more than ", kHparamsMax, " hyperparameters, the most allowed"));
    }
    if (!value.is_object()) {
      CheckStorable(value, path, problems_);
      return Hparam{.kind = ConstParam{value}};
    }
    return Typed(value, path);
  }

  Hparam Typed(const Value& value, const std::string& path) {
    static const std::vector<std::string> names = {
        "const", "int", "double", "log", "categorical", "discrete"};
    MapReader reader(value, path, problems_);
    Hparam hparam;
    int type = -1;
    reader.Enum("type", names, &type);
    Condition(reader, &hparam);
    switch (type) {
      case 0:
        hparam.kind = Const(reader);
        break;
      case 1:
        hparam.kind = Int(reader);
        break;
      case 2:
        hparam.kind = Double(reader);
        break;
      case 3:
        hparam.kind = Log(reader);
        break;
      case 4:
        hparam.kind = Categorical(reader);
        break;
      case 5:
        hparam.kind = Discrete(reader);
        break;
      default:
        return hparam;  // the type itself is wrong: its keys can't be judged
    }
    reader.Finish();
    return hparam;
  }

  ConstParam Const(MapReader& reader) {
    const Value* value = reader.Take("val");
    if (value == nullptr) return {};
    CheckStorable(*value, reader.PathOf("val"), problems_);
    return ConstParam{*value};
  }

  IntParam Int(MapReader& reader) {
    constexpr int64_t kWhole = 1LL << 53;  // beyond this a double can't tell neighbours apart
    IntParam param;
    const size_t before = problems_->size();
    reader.Required("minval");
    reader.Required("maxval");
    reader.Int("minval", -kWhole, kWhole, &param.min);
    reader.Int("maxval", -kWhole, kWhole, &param.max);
    reader.OptionalInt("count", 1, kTrialsMax, &param.count);
    reader.OptionalInt("step", 1, kWhole, &param.step);
    reader.Enum("scale", ScaleNames(), &param.scale);
    if (problems_->size() == before) Range(reader, param.min, param.max, param.scale);
    return param;
  }

  DoubleParam Double(MapReader& reader) {
    DoubleParam param;
    const size_t before = problems_->size();
    reader.Required("minval");
    reader.Required("maxval");
    reader.Number("minval", &param.min);
    reader.Number("maxval", &param.max);
    reader.OptionalInt("count", 1, kTrialsMax, &param.count);
    if (reader.Take("step") != nullptr) {
      double step = 0;
      reader.Number("step", &step);
      param.step = step;
      if (!(step > 0 && (param.max - param.min) / step < 0x1.0p52)) {
        reader.Broken(
            "step",
            StrCat("is ", FormatDouble(step), ", must be above 0 and not tiny beside the range"));
      }
    }
    reader.Enum("scale", ScaleNames(), &param.scale);
    if (problems_->size() == before) Range(reader, param.min, param.max, param.scale);
    return param;
  }

  LogParam Log(MapReader& reader) {
    LogParam param;
    const size_t before = problems_->size();
    reader.Required("minval");
    reader.Required("maxval");
    reader.Required("base");
    reader.Number("minval", &param.min);
    reader.Number("maxval", &param.max);
    reader.Number("base", &param.base);
    reader.OptionalInt("count", 1, kTrialsMax, &param.count);
    if (problems_->size() == before) Range(reader, param.min, param.max, Scale::kLinear);
    if (!(param.base > 0)) {
      reader.Broken("base", StrCat("is ", FormatDouble(param.base), ", must be above 0"));
    } else if (const double reach = std::fabs(std::log10(param.base)) *
                                    std::max(std::fabs(param.min), std::fabs(param.max));
               reach > 300) {
      reader.Broken("maxval",
                    "base^minval or base^maxval is beyond what a double holds",
                    "minval and maxval of `type: log` are exponents, not values");
    }
    return param;
  }

  std::vector<Value> Values(MapReader& reader) {
    const Value* values = reader.Take("vals");
    if (values == nullptr || !values->is_array() || values->as_array().empty()) {
      reader.Error("vals", "must be a list of at least one value");
      return {Value()};
    }
    if (static_cast<int64_t>(values->as_array().size()) > kCategoriesMax) {
      reader.Broken("vals",
                    StrCat("has ",
                           values->as_array().size(),
                           " values, at most ",
                           kCategoriesMax,
                           " are allowed"));
    }
    return values->as_array();
  }

  CategoricalParam Categorical(MapReader& reader) {
    CategoricalParam param{Values(reader)};
    CheckStorable(Value(param.values), reader.PathOf("vals"), problems_);
    return param;
  }

  DiscreteParam Discrete(MapReader& reader) {
    DiscreteParam param{Values(reader)};
    for (size_t i = 0; i < param.values.size(); ++i) {
      if (!param.values[i].is_number() || !std::isfinite(param.values[i].as_number())) {
        reader.Error("vals", "must hold finite numbers only");
        return param;
      }
    }
    std::sort(param.values.begin(), param.values.end(), [](const Value& a, const Value& b) {
      return a.as_number() < b.as_number();
    });
    return param;
  }

  // For bounds that could be read: what is said of others would confuse.
  void Range(MapReader& reader, const Value& low, const Value& high, Scale scale) {
    const double min = low.as_number();
    const double max = high.as_number();
    if (!(min < max)) {
      reader.Broken(
          "minval",
          StrCat("is ", low.ToJson(), ", must be less than maxval (", high.ToJson(), ")"));
    }
    if (!std::isfinite(max - min) || !std::isfinite(max + min)) {
      reader.Broken("maxval", "makes a range that is wider than a double holds");
    }
    if (scale != Scale::kLinear && !(min > 0)) {
      reader.Broken("minval",
                    StrCat("is ", low.ToJson(), ", must be above 0 on a logarithmic scale"));
    }
  }

  // when: {optimizer.name: [sgd, lion]}
  void Condition(MapReader& reader, Hparam* hparam) {
    const Value* when = reader.Take("when");
    if (when == nullptr) return;
    if (!when->is_object() || when->as_object().size() != 1) {
      reader.Error("when", "must be a map of one hyperparameter to a list of its values");
      return;
    }
    CheckStorable(*when, reader.PathOf("when"), problems_);
    const auto& [path, values] = *when->as_object().begin();
    spec::Condition condition{.path = path, .values = {values}};
    if (values.is_array()) condition.values = values.as_array();
    hparam->when = std::move(condition);
  }

  void Error(const std::string& path, std::string message) {
    if (problems_->size() >= kProblemsMax) return;
    problems_->push_back({.path = path, .message = std::move(message)});
  }

  void Broken(const std::string& path, std::string message) {
    if (problems_->size() >= kProblemsMax) return;
    problems_->push_back({.path = path, .rule = true, .message = std::move(message)});
  }

  Problems* problems_;
  int64_t leaves_ = 0;
};

// A name may hold dots itself, so every dot of the path may end one.
const Hparam* FindByPath(const HparamMap& map, std::string_view path) {
  for (size_t end = path.find('.');; end = path.find('.', end + 1)) {
    const std::string_view name = path.substr(0, end);
    if (static_cast<int64_t>(name.size()) > kHparamNameBytesMax) return nullptr;
    const bool last = end == std::string_view::npos;
    if (const auto it = map.find(std::string(name)); it != map.end()) {
      if (last) return &it->second;
      const auto* nested = std::get_if<HparamMap>(&it->second.kind);
      const Hparam* found = nested == nullptr ? nullptr : FindByPath(*nested, path.substr(end + 1));
      if (found != nullptr) return found;
    }
    if (last) return nullptr;
  }
}

using Visitor = std::function<void(const std::string& path, const Hparam& hparam)>;
void VisitLeaves(const HparamMap& map, const std::string& prefix, const Visitor& visit) {
  for (const auto& [name, hparam] : map) {
    if (const auto* nested = std::get_if<HparamMap>(&hparam.kind)) {
      VisitLeaves(*nested, JoinPath(prefix, name), visit);
    } else {
      visit(JoinPath(prefix, name), hparam);
    }
  }
}

// A condition must name a parameter that is itself unconditional: then no cycle can be written, and
// one pass over the space decides which parameters a trial has.
void CheckConditions(const HparamMap& space, const std::string& path, Problems* problems) {
  VisitLeaves(space, "", [&](const std::string& name, const Hparam& hparam) {
    if (!hparam.when.has_value()) return;
    const Hparam* parent = FindByPath(space, hparam.when->path);
    const std::string at = StrCat(path, ".", name, ".when");
    const std::string quoted = QuoteJson(hparam.when->path);
    if (parent == nullptr || std::holds_alternative<HparamMap>(parent->kind)) {
      problems->push_back(
          {.path = at, .rule = true, .message = StrCat(quoted, " is not a hyperparameter")});
    } else if (parent == &hparam || parent->when.has_value()) {
      problems->push_back(
          {.path = at, .rule = true, .message = StrCat(quoted, " is itself conditional")});
    }
  });
}

void PutRange(Value& out, std::optional<int64_t> count, Scale scale) {
  if (count.has_value()) out["count"] = *count;
  if (scale != Scale::kLinear) out["scale"] = ScaleNames()[static_cast<size_t>(scale)];
}

Value One(const Hparam& hparam) {
  Value out;
  if (const auto* map = std::get_if<HparamMap>(&hparam.kind)) return HparamsToValue(*map);
  if (const auto* param = std::get_if<ConstParam>(&hparam.kind)) {
    out["type"] = "const";
    out["val"] = param->value;
  } else if (const auto* whole = std::get_if<IntParam>(&hparam.kind)) {
    out["type"] = "int";
    out["minval"] = whole->min;
    out["maxval"] = whole->max;
    if (whole->step.has_value()) out["step"] = *whole->step;
    PutRange(out, whole->count, whole->scale);
  } else if (const auto* real = std::get_if<DoubleParam>(&hparam.kind)) {
    out["type"] = "double";
    out["minval"] = real->min;
    out["maxval"] = real->max;
    if (real->step.has_value()) out["step"] = *real->step;
    PutRange(out, real->count, real->scale);
  } else if (const auto* log = std::get_if<LogParam>(&hparam.kind)) {
    out["type"] = "log";
    out["minval"] = log->min;
    out["maxval"] = log->max;
    out["base"] = log->base;
    PutRange(out, log->count, Scale::kLinear);
  } else if (const auto* categorical = std::get_if<CategoricalParam>(&hparam.kind)) {
    out["type"] = "categorical";
    out["vals"] = Value::Array(categorical->values);
  } else if (const auto* discrete = std::get_if<DiscreteParam>(&hparam.kind)) {
    out["type"] = "discrete";
    out["vals"] = Value::Array(discrete->values);
  }
  if (hparam.when.has_value()) out["when"][hparam.when->path] = Value::Array(hparam.when->values);
  return out;
}

std::optional<int64_t> GridCount(const Hparam& hparam) {
  if (const auto* whole = std::get_if<IntParam>(&hparam.kind)) return whole->count;
  if (const auto* real = std::get_if<DoubleParam>(&hparam.kind)) return real->count;
  if (const auto* log = std::get_if<LogParam>(&hparam.kind)) return log->count;
  if (const auto* categorical = std::get_if<CategoricalParam>(&hparam.kind)) {
    return static_cast<int64_t>(categorical->values.size());
  }
  if (const auto* discrete = std::get_if<DiscreteParam>(&hparam.kind)) {
    return static_cast<int64_t>(discrete->values.size());
  }
  return 1;
}

}  // namespace

bool operator==(const Hparam& a, const Hparam& b) {
  return a.kind == b.kind && a.when == b.when;
}

HparamMap ParseHparams(const Value& value, const std::string& path, Problems* problems) {
  if (value.is_null()) return {};
  if (!value.is_object()) {
    problems->push_back({.path = path, .message = StrCat("must be a map, not ", value.TypeName())});
    return {};
  }
  HparamMap map = HparamParser(problems).Map(value, path, 1);
  CheckConditions(map, path, problems);
  return map;
}

Value HparamsToValue(const HparamMap& hparams) {
  Value::Object out;
  for (const auto& [name, hparam] : hparams) out[name] = One(hparam);
  return out;
}

void CheckSearchSpace(const SearcherSpec& searcher, const HparamMap& hparams, Problems* problems) {
  if (!std::holds_alternative<GridSpec>(searcher.method)) return;
  double product = 1;
  VisitLeaves(hparams, "", [&](const std::string& name, const Hparam& hparam) {
    const std::optional<int64_t> count = GridCount(hparam);
    if (!count.has_value()) {
      problems->push_back({.path = JoinPath("hyperparameters", name),
                           .rule = true,
                           .message = "needs the key \"count\" for a grid search"});
    }
    if (hparam.when.has_value()) {
      problems->push_back({.path = JoinPath("hyperparameters", name) + ".when",
                           .rule = true,
                           .message = "conditions are not possible in a grid search"});
    }
    product *= static_cast<double>(count.value_or(1));
  });
  if (product > static_cast<double>(kTrialsMax)) {
    problems->push_back(
        {.path = "hyperparameters",
         .rule = true,
         .message =
             StrCat("the grid has ", product, " points, at most ", kTrialsMax, " are allowed")});
  }
}

}  // namespace det::spec
