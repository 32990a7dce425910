#include "master/config/layers.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/config/secrets.h"

namespace det::config {
namespace {

constexpr size_t kTemplatesMax = 10;  // that name each other
constexpr size_t kTemplateNameBytesMax = 256;

// Determined's own two, which any layer may turn off by their names.
const Value& BuiltIn() {
  static const Value config = [] {
    const auto policy = [](const char* name, const char* pattern) {
      Value out;
      out["name"] = name;
      out["pattern"] = pattern;
      return out;
    };
    Value out;
    out["log_policies"] =
        Value::Array{policy("CUDA OOM", ".*CUDA out of memory.*"),
                     policy("ECC Error", ".*uncorrectable ECC error encountered.*")};
    return out;
  }();
  return config;
}

// An override that holds a secret is named by its path alone.
void HideValues(std::vector<Override>* overrides) {
  for (Override& override : *overrides) {
    Value alone;
    std::vector<OverrideProblem> none;
    ApplyOverrides({override}, &alone, &none);
    if (!LiteralSecrets(alone).empty()) {
      override.shown = StrCat("--config ", Printable(override.path, 80), "=", kHidden);
    }
  }
}

std::string TemplateTitle(std::string_view name) {
  return StrCat("template \"", Printable(name, 80), "\"");
}

}  // namespace

Layers::Layers(std::string name,
               const std::string& text,
               const std::vector<std::string>& overrides) {
  Read(std::move(name), text);
  std::vector<OverrideProblem> problems;
  overrides_ = ReadOverrides(overrides, &problems);
  HideValues(&overrides_);
  ApplyOverrides(overrides_, &layers_[0].value, &problems);
  for (OverrideProblem& problem : problems) {
    said_.push_back({HideByName(problem.shown), nullptr, std::move(problem.problem)});
  }
}

void Layers::Read(std::string name, const std::string& text) {
  Layer layer{.name = std::move(name), .document = std::make_unique<YamlDocument>()};
  std::vector<TextProblem> problems = ReadYaml(text, {}, layer.document.get());
  // What is at a path is not known then.
  if (!problems.empty()) layer.document->ShowAs(HideByName(layer.document->text()));
  layer.value = layer.document->value();
  Hide(&layer);
  for (TextProblem& problem : problems) {
    said_.push_back({layer.name, layer.document.get(), std::move(problem)});
  }
  layers_.push_back(std::move(layer));
}

void Layers::Hide(Layer* layer) {
  for (const std::string& path : LiteralSecrets(layer->value)) layer->document->Hide(path);
}

void Layers::Say(std::string name, std::string message, std::string hint) {
  said_.push_back(
      {std::move(name), nullptr, {.message = std::move(message), .hint = std::move(hint)}});
}

// The name that a layer has under `template`, which is no key of the configuration itself.
std::string Layers::TakeTemplateName(Layer* layer) {
  if (!layer->value.is_object()) return "";
  const auto found = layer->value.as_object().find("template");
  if (found == layer->value.as_object().end()) return "";
  const Value name = found->second;
  layer->value.as_object().erase(found);
  if (name.is_null()) return "";
  if (name.is_string() && !name.as_string().empty() &&
      name.as_string().size() <= kTemplateNameBytesMax) {
    return name.as_string();
  }
  Say(layer->name,
      StrCat("template: must be the name of a template, of at most ",
             kTemplateNameBytesMax,
             " bytes"));
  return "";
}

void Layers::AddTemplates(const ClusterLayers& cluster, const std::string& first) {
  std::string name = TakeTemplateName(&layers_[0]);
  if (!name.empty() && !first.empty() && name != first) {
    return Say(
        layers_[0].name,
        StrCat("template: names ", QuoteJson(name), ", and ", QuoteJson(first), " was asked for"),
        "name one of them");
  }
  if (name.empty()) name = first;
  std::vector<std::string> way;
  while (!name.empty()) {
    const std::string by = layers_.back().name;
    const bool again = std::find(way.begin(), way.end(), name) != way.end();
    way.push_back(name);
    if (again) {
      return Say(
          by,
          StrCat("template: the templates name each other in a circle: ", StrJoin(way, " -> ")),
          "leave out the key template in one of them");
    }
    if (way.size() > kTemplatesMax) {
      return Say(by, StrCat("template: more than ", kTemplatesMax, " templates name each other"));
    }
    const absl::StatusOr<std::string> text =
        cluster.find_template
            ? cluster.find_template(name)
            : absl::StatusOr<std::string>(absl::NotFoundError("the cluster has no templates"));
    if (!text.ok()) {
      return Say(by,
                 StrCat("template: ", QuoteJson(name), ": ", FromAbsl(text.status().message())));
    }
    Read(TemplateTitle(name), *text);
    name = TakeTemplateName(&layers_.back());
  }
}

void Layers::AddDefaults(const ClusterLayers& cluster, const std::string& pool) {
  std::string name = pool;
  for (const Layer& layer : layers_) {
    const Value* given = layer.value.FindPath("resources.resource_pool");
    if (given == nullptr || !given->is_string() || given->as_string().empty()) continue;
    name = given->as_string();
    break;
  }
  given_ = layers_.size();
  const auto found = cluster.pools.find(name);
  if (found != cluster.pools.end()) {
    layers_.push_back(
        {.name = StrCat("the defaults of the pool ", Printable(name, 80)), .value = found->second});
  }
  layers_.push_back({.name = "the cluster's defaults", .value = cluster.defaults});
  layers_.push_back({.name = "what is built in", .value = BuiltIn()});
}

MergedConfig Layers::Merge() const {
  // What is no map at all is judged alone, and so is what the user left empty.
  const auto begin = layers_.begin();
  const auto given = std::find_if(begin,
                                  begin + static_cast<ptrdiff_t>(given_),
                                  [](const Layer& it) { return !it.value.is_null(); });
  if (given == begin + static_cast<ptrdiff_t>(given_)) return {};
  MergedConfig alone{.value = given->value};
  alone.origins[""] = {static_cast<size_t>(given - begin), ""};
  if (!given->value.is_object()) return alone;
  std::vector<const Value*> values;
  for (const Layer& layer : layers_) values.push_back(&layer.value);
  return MergeConfigs(values);
}

// The override that the value at a path of the first layer comes from: the last one that gave it,
// or, when the file has nothing there, the last one that made a map on the way to its own value.
std::string Layers::OverrideAt(std::string_view path) const {
  const auto last = [&](const auto& is) {
    const auto found = std::find_if(overrides_.rbegin(), overrides_.rend(), is);
    return found == overrides_.rend() ? "" : found->shown;
  };
  std::string gave = last([&](const Override& it) { return IsWithin(path, it.path); });
  if (!gave.empty()) return gave;
  if (path.empty() || layers_[0].document->ValueMark(path).has_value()) return "";
  return last([&](const Override& it) { return IsWithin(it.path, path); });
}

ProblemReport Layers::Report(const MergedConfig* merged) const {
  return {layers_[0].name, *layers_[0].document, [this, merged](std::string_view path) {
            const Origin origin = merged->Of(path);
            const Layer& layer = layers_[origin.layer];
            std::string override = origin.layer == 0 ? OverrideAt(origin.path) : "";
            if (!override.empty()) {
              return ProblemReport::Place{std::move(override), nullptr, origin.path};
            }
            return ProblemReport::Place{layer.name, layer.document.get(), origin.path};
          }};
}

void Layers::AddProblems(ProblemReport* report) const {
  for (const Said& said : said_) report->Add(said.name, said.document, said.problem);
}

}  // namespace det::config
