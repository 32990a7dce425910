#include <set>

#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"
#include "master/spec/reading.h"

namespace det::spec {
namespace {

const std::vector<std::string>& ActionNames() {
  static const std::vector<std::string> names = {"", "cancel_retries", "exclude_node"};
  return names;
}

// "cancel_retries", or the older {type: cancel_retries}.
void ReadAction(MapReader& reader, LogAction* action, Problems* problems) {
  static const std::vector<std::string> names(ActionNames().begin() + 1, ActionNames().end());
  const Value* value = reader.Take("action");
  if (value == nullptr) return;
  int index = -1;
  if (value->is_object()) {
    MapReader older(*value, reader.PathOf("action"), problems);
    older.Required("type");
    older.Enum("type", names, &index);
    older.Finish();
  } else {
    reader.Enum("action", names, &index);
  }
  if (index >= 0) *action = static_cast<LogAction>(index + 1);
}

std::string PolicyFault(const LogPolicySpec& policy) {
  if (policy.pattern.empty() && policy.action != LogAction::kNone) return "has no pattern";
  if (policy.pattern.empty() && policy.name.empty()) return "has neither a name nor a pattern";
  if (policy.name.empty() && policy.action == LogAction::kNone) {
    return "has neither a name nor an action";
  }
  return "";
}

LogPolicySpec ReadPolicy(const Value& value, const std::string& path, Problems* problems) {
  LogPolicySpec policy;
  MapReader reader(value, path, problems);
  const size_t before = problems->size();
  reader.Line("name", kNameBytesMax, &policy.name);
  reader.String("pattern", kPatternBytesMax, &policy.pattern);
  ReadAction(reader, &policy.action, problems);
  reader.Finish();
  std::string fault = PolicyFault(policy);
  if (problems->size() == before && !fault.empty()) {
    problems->push_back({.path = path,
                         .rule = true,
                         .message = std::move(fault),
                         .hint = "write a name and a pattern, or a name alone to turn it off"});
  }
  return policy;
}

BindMountSpec ReadMount(const Value& value, const std::string& path, Problems* problems) {
  BindMountSpec mount;
  MapReader reader(value, path, problems);
  reader.Required("host_path");
  reader.Required("container_path");
  reader.String("host_path", kPathBytesMax, &mount.host_path);
  reader.String("container_path", kPathBytesMax, &mount.container_path);
  reader.Bool("read_only", &mount.read_only);
  reader.String("propagation", kNameBytesMax, &mount.propagation);
  if (reader.Take("host_path") != nullptr) CheckAbsolute(reader, "host_path", mount.host_path);
  const bool given = reader.Take("container_path") != nullptr;
  if (given && (mount.container_path.empty() || mount.container_path == ".")) {
    reader.Broken("container_path", "must name a folder, not the work directory itself");
  }
  reader.Finish();
  return mount;
}

}  // namespace

std::vector<LogPolicySpec> ParseLogPolicies(const Value& value, Problems* problems) {
  std::vector<LogPolicySpec> policies;
  Value parent;
  parent["log_policies"] = value;
  MapReader reader(parent, "", problems);
  const Value::Array* items = TakeList(reader, "log_policies", kListItemsMax);
  if (items == nullptr) return policies;
  std::set<std::string> names;
  for (size_t i = 0; i < items->size() && problems->size() < kProblemsMax; ++i) {
    const std::string path = StrCat("log_policies[", i, "]");
    LogPolicySpec policy = ReadPolicy((*items)[i], path, problems);
    if (!policy.name.empty() && !names.insert(policy.name).second) {
      problems->push_back(
          {.path = JoinPath(path, "name"),
           .rule = true,
           .message = StrCat("there is already a policy with the name ", QuoteJson(policy.name))});
    }
    policies.push_back(std::move(policy));
  }
  return policies;
}

Value LogPoliciesToValue(const std::vector<LogPolicySpec>& policies) {
  Value::Array out;
  for (const LogPolicySpec& policy : policies) {
    Value item = Value::Object();
    if (!policy.name.empty()) item["name"] = policy.name;
    if (!policy.pattern.empty()) item["pattern"] = policy.pattern;
    if (policy.action != LogAction::kNone)
      item["action"] = ActionNames()[static_cast<size_t>(policy.action)];
    out.push_back(std::move(item));
  }
  return out;
}

std::vector<BindMountSpec> ParseBindMounts(const Value& value, Problems* problems) {
  std::vector<BindMountSpec> mounts;
  Value parent;
  parent["bind_mounts"] = value;
  MapReader reader(parent, "", problems);
  const Value::Array* items = TakeList(reader, "bind_mounts", kListItemsMax);
  if (items == nullptr) return mounts;
  for (size_t i = 0; i < items->size() && problems->size() < kProblemsMax; ++i) {
    mounts.push_back(ReadMount((*items)[i], StrCat("bind_mounts[", i, "]"), problems));
  }
  return mounts;
}

Value BindMountsToValue(const std::vector<BindMountSpec>& mounts) {
  Value::Array out;
  for (const BindMountSpec& mount : mounts) {
    Value item;
    item["host_path"] = mount.host_path;
    item["container_path"] = mount.container_path;
    item["read_only"] = mount.read_only;
    item["propagation"] = mount.propagation;
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace det::spec
