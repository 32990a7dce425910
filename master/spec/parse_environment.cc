#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"
#include "master/spec/reading.h"

namespace det::spec {
namespace {

// Names are what execve takes: not empty, without "=" and NUL. DET_ is the platform's own prefix.
void ReadVariables(const Value& value,
                   const std::string& path,
                   Problems* problems,
                   std::vector<std::string>* out) {
  const auto note = [&](bool rule, const std::string& at, std::string message) {
    if (problems->size() >= kProblemsMax) return;
    problems->push_back({.path = at, .rule = rule, .message = std::move(message)});
  };
  if (!value.is_array()) {
    return note(false, path, StrCat("must be a list of \"NAME=value\", not ", value.TypeName()));
  }
  if (static_cast<int64_t>(value.as_array().size()) > kEnvironmentVariablesMax) {
    note(true, path, StrCat("has more than ", kEnvironmentVariablesMax, " variables"));
  }
  for (size_t i = 0; i < value.as_array().size(); ++i) {
    const Value& item = value.as_array()[i];
    const std::string at = StrCat(path, "[", i, "]");
    if (!item.is_string()) {
      note(false, at, StrCat("must be a string, not ", item.TypeName()));
      continue;
    }
    const std::string& text = item.as_string();
    const std::string name = text.substr(0, text.find('='));
    if (name.empty() || text.find('\0') != std::string::npos) {
      note(false, at, StrCat(QuoteJson(text.substr(0, 80)), " is not of the form NAME=value"));
      continue;
    }
    if (static_cast<int64_t>(text.size()) > kEnvironmentVariableBytesMax) {
      note(true, at, StrCat("is longer than ", kEnvironmentVariableBytesMax, " bytes"));
    } else if (name.starts_with("DET_")) {
      note(
          true,
          at,
          StrCat(
              "the variable ", name.substr(0, 80), " is reserved: names with DET_ are set by det"));
    }
    out->push_back(text);
  }
}

void ReadAllVariables(MapReader& reader, EnvironmentSpec* spec, Problems* problems) {
  const Value* variables = reader.Take("environment_variables");
  if (variables == nullptr) return;
  const std::string path = reader.PathOf("environment_variables");
  if (!variables->is_object()) {
    ReadVariables(*variables, path, problems, &spec->cpu);
    spec->cuda = spec->rocm = spec->cpu;
    return;
  }
  MapReader kinds(*variables, path, problems);
  const auto read = [&](const char* kind, std::vector<std::string>* out) {
    if (const Value* list = kinds.Take(kind))
      ReadVariables(*list, kinds.PathOf(kind), problems, out);
  };
  read("cpu", &spec->cpu);
  read("gpu", &spec->cuda);  // Determined's older name
  read("cuda", &spec->cuda);
  read("rocm", &spec->rocm);
  kinds.Finish();
}

void ReadImage(MapReader& reader, ImageSpec* image, Problems* problems) {
  const Value* value = reader.Take("image");
  if (value == nullptr) return;
  if (value->is_string()) {
    reader.Line("image", kWordBytesMax, &image->cpu);
    image->cuda = image->rocm = image->cpu;
    return;
  }
  MapReader kinds(*value, reader.PathOf("image"), problems);
  kinds.Line("cpu", kWordBytesMax, &image->cpu);
  kinds.Line("gpu", kWordBytesMax, &image->cuda);
  kinds.Line("cuda", kWordBytesMax, &image->cuda);
  kinds.Line("rocm", kWordBytesMax, &image->rocm);
  kinds.Finish();
}

void ReadProxyPorts(MapReader& reader, EnvironmentSpec* spec, Problems* problems) {
  const Value::Array* ports = TakeList(reader, "proxy_ports", kListItemsMax);
  if (ports == nullptr) return;
  for (size_t i = 0; i < ports->size(); ++i) {
    ProxyPortSpec port;
    MapReader item((*ports)[i], reader.PathOf(StrCat("proxy_ports[", i, "]")), problems);
    item.Required("proxy_port");
    item.Int("proxy_port", 1, 65535, &port.port);
    item.Bool("proxy_tcp", &port.tcp);
    item.Bool("unauthenticated", &port.unauthenticated);
    item.Bool("default_service_id", &port.default_service_id);
    item.Finish();
    spec->proxy_ports.push_back(port);
  }
}

void ReadPorts(MapReader& reader, EnvironmentSpec* spec, Problems* problems) {
  const Value* ports = reader.Take("ports");
  if (ports == nullptr) return;
  MapReader map(*ports, reader.PathOf("ports"), problems);
  if (!ports->is_object()) return;
  if (static_cast<int64_t>(ports->as_object().size()) > kListItemsMax) {
    reader.Broken("ports", StrCat("has more than ", kListItemsMax, " ports"));
  }
  for (const auto& [name, port] : ports->as_object()) {
    if (problems->size() >= kProblemsMax) return;
    if (name.find('\0') != std::string::npos) reader.Error("ports", "has a key with a NUL byte");
    map.Required(name);
    map.Int(name, 1, 65535, &spec->ports[name]);
  }
}

Value ImageToValue(const ImageSpec& image) {
  Value out = Value::Object();
  if (!image.cpu.empty()) out["cpu"] = image.cpu;
  if (!image.cuda.empty()) out["cuda"] = image.cuda;
  if (!image.rocm.empty()) out["rocm"] = image.rocm;
  return out;
}

}  // namespace

EnvironmentSpec ParseEnvironment(const Value& value, Problems* problems) {
  EnvironmentSpec spec;
  MapReader reader(value, "environment", problems);
  ReadAllVariables(reader, &spec, problems);
  ReadImage(reader, &spec.image, problems);
  reader.Bool("force_pull_image", &spec.force_pull_image);
  ReadSecretRef(reader, "registry_auth", problems, &spec.registry_auth_ref);
  reader.StringList("add_capabilities", kListItemsMax, kNameBytesMax, &spec.add_capabilities);
  reader.StringList("drop_capabilities", kListItemsMax, kNameBytesMax, &spec.drop_capabilities);
  ReadProxyPorts(reader, &spec, problems);
  ReadPorts(reader, &spec, problems);
  spec.pod_spec = ReadFree(reader, "pod_spec", true, problems);
  reader.Finish();
  return spec;
}

Value EnvironmentToValue(const EnvironmentSpec& spec) {
  Value out;
  Value& variables = out["environment_variables"];
  variables["cpu"] = ListOf(spec.cpu);
  variables["cuda"] = ListOf(spec.cuda);
  variables["rocm"] = ListOf(spec.rocm);
  if (spec.image != ImageSpec()) out["image"] = ImageToValue(spec.image);
  out["force_pull_image"] = spec.force_pull_image;
  if (!spec.registry_auth_ref.empty())
    out["registry_auth"] = SecretRefToValue(spec.registry_auth_ref);
  out["add_capabilities"] = ListOf(spec.add_capabilities);
  out["drop_capabilities"] = ListOf(spec.drop_capabilities);
  Value::Array ports;
  for (const ProxyPortSpec& port : spec.proxy_ports) {
    Value item;
    item["proxy_port"] = port.port;
    item["proxy_tcp"] = port.tcp;
    item["unauthenticated"] = port.unauthenticated;
    item["default_service_id"] = port.default_service_id;
    ports.push_back(std::move(item));
  }
  out["proxy_ports"] = std::move(ports);
  Value::Object named;
  for (const auto& [name, port] : spec.ports) named[name] = port;
  out["ports"] = std::move(named);
  if (!spec.pod_spec.is_null()) out["pod_spec"] = spec.pod_spec;
  return out;
}

}  // namespace det::spec
