#include "master/config/merge.h"

#include <algorithm>
#include <memory>
#include <set>

#include "common/base/map_reader.h"
#include "common/base/strings.h"

namespace det::config {
namespace {

struct Source {
  const Value* value = nullptr;  // not null
  Origin origin;
};
using Sources = std::vector<Source>;  // the first wins

enum class Way {
  kReplace,
  kKeys,       // key by key, values replaced
  kDeep,       // key by key all the way down
  kStruct,     // key by key, each in its own way
  kSpace,      // hyperparameters
  kUnion,      // of one member: searcher, checkpoint_storage
  kImages,     // by kind of device, or one for all
  kVariables,  // the same, lists
  kLabels,
  kList,  // joined
};

struct Rule {
  std::string_view path;
  Way way;
  std::string_view key;  // of a union: what names its member. Of a list: what its items differ in
};

constexpr Rule kRules[] = {
    {"", Way::kStruct, ""},
    {"bind_mounts", Way::kList, "container_path"},
    {"checkpoint_storage", Way::kUnion, "type"},
    {"data", Way::kKeys, ""},
    {"environment", Way::kStruct, ""},
    {"environment.environment_variables", Way::kVariables, ""},
    {"environment.image", Way::kImages, ""},
    {"environment.pod_spec", Way::kDeep, ""},
    {"environment.ports", Way::kKeys, ""},
    {"environment.proxy_ports", Way::kList, "proxy_port"},
    {"hyperparameters", Way::kSpace, ""},
    {"integrations", Way::kStruct, ""},
    {"integrations.webhooks", Way::kKeys, ""},
    {"labels", Way::kLabels, ""},
    {"log_policies", Way::kList, "name"},
    {"optimizations", Way::kKeys, ""},
    {"pbs", Way::kKeys, ""},
    {"profiling", Way::kKeys, ""},
    {"reproducibility", Way::kKeys, ""},
    {"resources", Way::kStruct, ""},
    {"resources.devices", Way::kList, "container_path"},
    {"retention_policy", Way::kKeys, ""},
    {"searcher", Way::kUnion, "name"},
    {"security", Way::kDeep, ""},
    {"slurm", Way::kKeys, ""},
};

const Rule& RuleOf(std::string_view path) {
  static constexpr Rule kReplaced = {"", Way::kReplace, ""};
  const auto* found = std::find_if(
      std::begin(kRules), std::end(kRules), [&](const Rule& rule) { return rule.path == path; });
  return found == std::end(kRules) ? kReplaced : *found;
}

// What every searcher, or every storage, has.
bool IsCommon(std::string_view path, std::string_view key) {
  static constexpr std::string_view kSearcher[] = {
      "metric", "smaller_is_better", "source_trial_id", "source_checkpoint_uuid"};
  static constexpr std::string_view kStorage[] = {
      "save_experiment_best", "save_trial_best", "save_trial_latest"};
  const auto has = [&](const auto& keys) {
    return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
  };
  return path == "searcher" ? has(kSearcher) : has(kStorage);
}

bool IsGroup(const Value& value) {
  return value.is_object() && value.Find("type") == nullptr;
}

std::string Name(const Value& variable) {
  if (!variable.is_string()) return "";
  return variable.as_string().substr(0, variable.as_string().find('='));
}

// What items of a list are told apart by; "" tells nothing.
std::string IdentityOf(const Value& item, std::string_view key) {
  if (item.is_string() && key == "container_path") {  // host:container[:mode]
    const std::string& text = item.as_string();
    const size_t colon = text.find(':');
    if (colon == std::string::npos) return "";
    return text.substr(colon + 1, text.find(':', colon + 1) - colon - 1);
  }
  const Value* found = item.Find(key);
  if (found == nullptr) return item.ToJson();
  return found->is_string() ? found->as_string() : found->ToJson();
}

class Merger {
 public:
  explicit Merger(MergedConfig* out) : out_(out) {}

  Value Merge(const std::string& path, const Rule& rule, const Sources& sources) {
    if (!sources.empty()) out_->origins[path] = sources[0].origin;
    // What comes from one layer is that layer's, as it stands.
    if (sources.empty()) return {};
    if (sources.size() == 1) return *sources[0].value;
    switch (rule.way) {
      case Way::kReplace:
        return *sources[0].value;
      case Way::kKeys:
      case Way::kDeep:
      case Way::kStruct:
      case Way::kSpace:
        return Maps(path, rule, sources);
      case Way::kUnion:
        return Union(path, rule, sources);
      case Way::kImages:
        return Images(path, sources);
      case Way::kVariables:
        return Variables(path, sources);
      case Way::kLabels:
        return Labels(path, sources);
      case Way::kList:
        return Lists(path, rule, sources);
    }
    return {};
  }

 private:
  static Source Member(const Source& source, std::string_view key, const Value& value) {
    return {&value, {source.origin.layer, JoinPath(source.origin.path, key)}};
  }

  bool Are(const std::string& path, const Sources& sources, bool (Value::*is)() const) {
    for (const Source& source : sources) {
      if ((source.value->*is)()) continue;
      const Source& other = &source == &sources[0] ? sources[1] : source;
      out_->problems.push_back({.path = path,
                                .message = StrCat("is ",
                                                  sources[0].value->TypeName(),
                                                  ", and elsewhere ",
                                                  other.value->TypeName(),
                                                  ": they can't be merged")});
      return false;
    }
    return true;
  }

  Value Maps(const std::string& path, const Rule& rule, const Sources& sources) {
    if (!Are(path, sources, &Value::is_object)) return *sources[0].value;
    // Null is a value in these two, and elsewhere stands for what the next one has.
    const bool nulls = rule.way == Way::kSpace || path == "data";
    std::map<std::string, Sources> members;
    for (const Source& source : sources) {
      for (const auto& [key, value] : source.value->as_object()) {
        Sources& from = members[key];
        if (!nulls && !from.empty() && from[0].value->is_null()) from.clear();
        if (from.empty() || nulls || !value.is_null()) from.push_back(Member(source, key, value));
      }
    }
    Value out = Value::Object();
    for (const auto& [key, from] : members) {
      const std::string at = JoinPath(path, key);
      out[key] = Merge(at, Below(rule, at, from), from);
    }
    return out;
  }

  static Rule Below(const Rule& rule, const std::string& path, const Sources& sources) {
    const bool groups = std::all_of(
        sources.begin(), sources.end(), [](const Source& from) { return IsGroup(*from.value); });
    const bool maps = std::all_of(
        sources.begin(), sources.end(), [](const Source& from) { return from.value->is_object(); });
    if (rule.way == Way::kStruct) return RuleOf(path);
    if (rule.way == Way::kSpace && groups) return rule;
    if (rule.way == Way::kDeep && maps) return rule;
    return {"", Way::kReplace, ""};
  }

  // The member is the first that is named; of sources that name another only common keys are taken.
  Value Union(const std::string& path, const Rule& rule, const Sources& sources) {
    if (!Are(path, sources, &Value::is_object)) return *sources[0].value;
    const Value* member = nullptr;
    Sources chosen;
    std::vector<Value> parts;
    parts.reserve(sources.size());
    for (const Source& source : sources) {
      const Value* named = source.value->Find(rule.key);
      if (named != nullptr && named->is_null()) named = nullptr;
      if (member == nullptr) member = named;
      if (named == nullptr || *named == *member) {
        chosen.push_back(source);
        continue;
      }
      Value common = Value::Object();
      for (const auto& [key, value] : source.value->as_object()) {
        if (IsCommon(path, key)) common[key] = value;
      }
      parts.push_back(std::move(common));
      chosen.push_back({&parts.back(), source.origin});
    }
    return Maps(path, {"", Way::kKeys, ""}, chosen);
  }

  // One text or list for all kinds becomes one for each; "gpu" is cuda's older name.
  Sources ByKind(const Sources& sources) {
    Sources out;
    for (const Source& source : sources) {
      Value kinds = Value::Object();
      if (!source.value->is_object()) {
        for (const char* kind : {"cpu", "cuda", "rocm"}) kinds[kind] = *source.value;
      } else {
        kinds = *source.value;
        if (const Value* gpu = kinds.Find("gpu")) {
          if (kinds.Find("cuda") == nullptr) kinds["cuda"] = *gpu;
          kinds.as_object().erase("gpu");
        }
      }
      made_.push_back(std::make_unique<Value>(std::move(kinds)));
      out.push_back({made_.back().get(), source.origin});
    }
    return out;
  }

  // Where a source has what ByKind gives for a kind.
  static Origin PlaceOfKind(const Source& source, std::string_view kind) {
    Origin origin = source.origin;
    if (!source.value->is_object()) return origin;
    const bool older = kind == "cuda" && source.value->Find(kind) == nullptr;
    origin.path = JoinPath(origin.path, older ? "gpu" : kind);
    return origin;
  }

  Value Images(const std::string& path, const Sources& sources) {
    const Sources by_kind = ByKind(sources);
    Value out = Maps(path, {"", Way::kKeys, ""}, by_kind);
    for (const auto& [kind, image] : out.as_object()) {
      for (size_t i = 0; i < sources.size(); ++i) {
        const Value* given = by_kind[i].value->Find(kind);
        if (given == nullptr || given->is_null()) continue;
        out_->origins[JoinPath(path, kind)] = PlaceOfKind(sources[i], kind);
        break;
      }
    }
    return out;
  }

  Value Variables(const std::string& path, const Sources& sources) {
    const Sources by_kind = ByKind(sources);
    Value out = Value::Object();
    std::set<std::string> kinds;
    for (const Source& source : by_kind) {
      for (const auto& [kind, list] : source.value->as_object()) kinds.insert(kind);
    }
    for (const std::string& kind : kinds) {
      Sources lists;
      for (size_t i = 0; i < by_kind.size(); ++i) {
        const Value* list = by_kind[i].value->Find(kind);
        if (list == nullptr || list->is_null()) continue;
        lists.push_back({list, PlaceOfKind(sources[i], kind)});
      }
      const std::string at = JoinPath(path, kind);
      if (lists.empty()) continue;
      out_->origins[at] = lists[0].origin;
      out[kind] = lists.size() == 1 ? *lists[0].value : VariableLists(at, lists);
    }
    return out;
  }

  Value VariableLists(const std::string& path, const Sources& lists) {
    if (!Are(path, lists, &Value::is_array)) return *lists[0].value;
    std::set<std::string> names;
    std::vector<std::pair<Value, Origin>> joined;  // backwards
    for (const Source& list : lists) {
      const Value::Array& items = list.value->as_array();
      std::set<std::string> own;
      for (size_t i = items.size(); i-- > 0;) {
        std::string name = Name(items[i]);
        if (!name.empty() && names.contains(name)) continue;
        own.insert(std::move(name));
        joined.emplace_back(items[i], Item(list, i));
      }
      names.merge(own);
    }
    std::reverse(joined.begin(), joined.end());
    return Put(path, joined);
  }

  Value Labels(const std::string& path, const Sources& sources) {
    Value::Array out;
    for (const Source& source : sources) {
      if (source.value->is_array()) {
        out.insert(out.end(), source.value->as_array().begin(), source.value->as_array().end());
      } else if (source.value->is_object()) {
        for (const auto& [name, on] : source.value->as_object()) {
          if (on == Value(true)) out.emplace_back(name);
        }
      } else {
        return *sources[0].value;
      }
    }
    out_->origins[path] = sources[0].origin;
    return out;
  }

  Value Lists(const std::string& path, const Rule& rule, const Sources& sources) {
    if (!Are(path, sources, &Value::is_array)) return *sources[0].value;
    std::set<std::string> taken;
    std::vector<std::pair<Value, Origin>> joined;
    for (const Source& source : sources) {
      std::set<std::string> own;
      const Value::Array& items = source.value->as_array();
      for (size_t i = 0; i < items.size(); ++i) {
        std::string identity = IdentityOf(items[i], rule.key);
        if (!identity.empty() && taken.contains(identity)) continue;
        own.insert(std::move(identity));
        joined.emplace_back(items[i], Item(source, i));
      }
      // Two of one name in one file are for the parser to judge.
      taken.merge(own);
    }
    return Put(path, joined);
  }

  static Origin Item(const Source& list, size_t index) {
    return {list.origin.layer, StrCat(list.origin.path, "[", index, "]")};
  }

  Value Put(const std::string& path, std::vector<std::pair<Value, Origin>>& items) {
    Value::Array out;
    for (size_t i = 0; i < items.size(); ++i) {
      out_->origins[StrCat(path, "[", i, "]")] = items[i].second;
      out.push_back(std::move(items[i].first));
    }
    return out;
  }

  MergedConfig* out_;
  std::vector<std::unique_ptr<Value>> made_;
};

}  // namespace

Origin MergedConfig::Of(std::string_view path) const {
  for (std::string_view root = path;;) {
    const auto found = origins.find(root);
    if (found != origins.end()) {
      std::string_view rest = path.substr(root.size());
      if (found->second.path.empty() && rest.starts_with('.')) rest.remove_prefix(1);
      return {found->second.layer, StrCat(found->second.path, rest)};
    }
    if (root.empty()) return {0, std::string(path)};
    const size_t cut = root.find_last_of(".[");
    root = root.substr(0, cut == std::string_view::npos ? 0 : cut);
  }
}

MergedConfig MergeConfigs(const std::vector<const Value*>& layers) {
  MergedConfig merged;
  Sources sources;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] != nullptr && !layers[i]->is_null()) sources.push_back({layers[i], {i, ""}});
  }
  Merger merger(&merged);
  merged.value = merger.Merge("", RuleOf(""), sources);
  return merged;
}

}  // namespace det::config
