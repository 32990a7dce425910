#include <algorithm>
#include <cmath>

#include "common/base/byte_size.h"
#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"
#include "master/spec/reading.h"

namespace det::spec {
namespace {

// "/dev/fuse:/dev/fuse:rw"
bool SplitDevice(const std::string& text, DeviceSpec* device) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return false;
  const size_t second = text.find(':', colon + 1);
  device->host_path = text.substr(0, colon);
  device->container_path = text.substr(colon + 1, second - colon - 1);
  if (second != std::string::npos) device->mode = text.substr(second + 1);
  return true;
}

bool IsDeviceMode(const std::string& mode) {
  return !mode.empty() && mode.find_first_not_of("mrw") == std::string::npos;
}

std::string DeviceFault(const DeviceSpec& device) {
  if (!device.host_path.starts_with('/')) return "the path on the host must be absolute";
  if (!device.container_path.starts_with('/')) return "the path in the container must be absolute";
  return IsDeviceMode(device.mode)
             ? ""
             : StrCat("the mode ", QuoteJson(device.mode), " must be of the letters m, r and w");
}

DeviceSpec ReadDevice(const Value& value, const std::string& path, Problems* problems) {
  DeviceSpec device;
  if (value.is_string()) {
    if (!SplitDevice(value.as_string(), &device)) {
      problems->push_back({.path = path,
                           .message = StrCat(QuoteJson(value.as_string()),
                                             " is not of the form host:container[:mode]")});
    }
  } else {
    MapReader reader(value, path, problems);
    reader.Required("host_path");
    reader.Required("container_path");
    reader.String("host_path", kPathBytesMax, &device.host_path);
    reader.String("container_path", kPathBytesMax, &device.container_path);
    reader.String("mode", kWordBytesMax, &device.mode);
    reader.Finish();
  }
  if (std::string fault = DeviceFault(device); !fault.empty()) {
    problems->push_back({.path = path, .rule = true, .message = std::move(fault)});
  }
  return device;
}

// A number of bytes, or "4 GiB".
void ReadShm(MapReader& reader, std::optional<int64_t>* out) {
  const Value* value = reader.Take("shm_size");
  if (value == nullptr) return;
  if (!value->is_string()) return reader.OptionalInt("shm_size", 0, kShmBytesMax, out);
  const std::optional<int64_t> bytes = ParseByteSize(value->as_string());
  if (!bytes.has_value()) {
    return reader.Error("shm_size",
                        StrCat(QuoteJson(value->as_string()), " is no size"),
                        "write a number of bytes, or a number and a unit: 512m, 4 GiB");
  }
  *out = bytes;
  if (*bytes > kShmBytesMax) {
    reader.Broken("shm_size", StrCat("is ", *bytes, ", must be from 0 to ", kShmBytesMax));
  }
}

void ReadWeight(MapReader& reader, double* weight) {
  reader.Number("weight", weight);
  if (!(*weight > 0 && *weight <= kWeightMax)) {
    reader.Broken(
        "weight",
        StrCat("is ", FormatDouble(*weight), ", must be above 0 and at most ", kWeightMax));
  }
}

}  // namespace

ResourcesSpec ParseResources(const Value& value,
                             const ParseDefaults& defaults,
                             Problems* problems) {
  ResourcesSpec spec;
  MapReader reader(value, "resources", problems);
  if (reader.Take("slots") != nullptr) {
    reader.Error("slots", "is not for experiments", "use resources.slots_per_trial");
  }
  reader.Int("slots_per_trial", 0, kSlotsPerTrialMax, &spec.slots_per_trial);
  spec.resource_pool.clear();
  reader.Line("resource_pool", kNameBytesMax, &spec.resource_pool);
  if (spec.resource_pool.empty()) spec.resource_pool = defaults.resource_pool;
  const auto of_pool = defaults.pool_priorities.find(spec.resource_pool);
  spec.priority = of_pool == defaults.pool_priorities.end() ? defaults.priority : of_pool->second;
  reader.Int("priority", 1, 99, &spec.priority);
  ReadWeight(reader, &spec.weight);
  reader.OptionalInt("max_slots", 0, kMaxSlotsMax, &spec.max_slots);
  reader.Bool("is_single_node", &spec.is_single_node);
  ReadShm(reader, &spec.shm_bytes);
  if (const Value::Array* devices = TakeList(reader, "devices", kListItemsMax)) {
    for (size_t i = 0; i < devices->size(); ++i) {
      spec.devices.push_back(
          ReadDevice((*devices)[i], reader.PathOf(StrCat("devices[", i, "]")), problems));
    }
  }
  bool native_parallel = false;
  reader.Bool("native_parallel", &native_parallel);  // of older versions, without effect
  reader.Ignore("agent_label");
  reader.Finish();
  return spec;
}

Value ResourcesToValue(const ResourcesSpec& spec) {
  Value out;
  out["slots_per_trial"] = spec.slots_per_trial;
  out["resource_pool"] = spec.resource_pool;
  out["priority"] = spec.priority;
  out["weight"] = spec.weight;
  if (spec.max_slots.has_value()) out["max_slots"] = *spec.max_slots;
  out["is_single_node"] = spec.is_single_node;
  if (spec.shm_bytes.has_value()) out["shm_size"] = *spec.shm_bytes;
  Value::Array devices;
  for (const DeviceSpec& device : spec.devices) {
    Value item;
    item["host_path"] = device.host_path;
    item["container_path"] = device.container_path;
    item["mode"] = device.mode;
    devices.push_back(std::move(item));
  }
  out["devices"] = std::move(devices);
  return out;
}

}  // namespace det::spec
