#include "master/spec/reading.h"

#include <algorithm>

#include "common/base/strings.h"
#include "master/spec/limits.h"

namespace det::spec {
namespace {

constexpr std::string_view kEnvironmentPrefix = "env:";

bool IsSecretName(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && static_cast<int64_t>(name.size()) <= kSecretNameBytesMax &&
         name[0] != '.' && std::all_of(name.begin(), name.end(), is_plain);
}

}  // namespace

const Value& OrNull(const Value* value) {
  static const Value null;
  return value == nullptr ? null : *value;
}

const Value::Array* TakeList(MapReader& reader, std::string_view key, int64_t count_max) {
  const Value* value = reader.Take(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    reader.Error(key, StrCat("must be a list, not ", value->TypeName()));
    return nullptr;
  }
  const auto count = static_cast<int64_t>(value->as_array().size());
  if (count > count_max) {
    reader.Broken(key, StrCat("has ", count, " items, at most ", count_max, " are allowed"));
  }
  return &value->as_array();
}

std::optional<Length> ReadLength(MapReader& reader,
                                 std::string_view key,
                                 int64_t min,
                                 Problems* problems) {
  const Value* value = reader.Take(key);
  if (value == nullptr) return std::nullopt;
  Length length;
  MapReader unit(*value, reader.PathOf(key), problems);
  int given = 0;
  for (const LengthUnit candidate :
       {LengthUnit::kBatches, LengthUnit::kEpochs, LengthUnit::kRecords}) {
    if (unit.Take(LengthUnitName(candidate)) == nullptr) continue;
    ++given;
    length.unit = candidate;
    unit.Int(LengthUnitName(candidate), min, kLengthMax, &length.units);
  }
  unit.Finish();
  if (given != 1 && value->is_object()) {
    reader.Error(key, "must have exactly one of batches, epochs, records");
  }
  return length;
}

Value LengthToValue(const Length& length) {
  Value out;
  out[LengthUnitName(length.unit)] = length.units;
  return out;
}

void ReadSecretRef(MapReader& reader, std::string_view key, Problems* problems, SecretRef* out) {
  const Value* value = reader.Take(key);
  if (value == nullptr) return;
  if (!value->is_object()) {
    return reader.Error(
        key, "must refer to a secret", "write {secret: NAME} or {environment: VARIABLE}");
  }
  MapReader ref(*value, reader.PathOf(key), problems);
  std::string secret;
  std::string variable;
  ref.String("secret", kSecretNameBytesMax, &secret);
  ref.String("environment", kSecretNameBytesMax, &variable);
  ref.Finish();
  if (secret.empty() == variable.empty()) {
    return reader.Error(key, "must have exactly one of secret, environment");
  }
  const std::string& name = secret.empty() ? variable : secret;
  if (!IsSecretName(name)) {
    return reader.Error(key,
                        StrCat(QuoteJson(name),
                               " is no name: letters, digits, \".\", \"_\" and \"-\", at most ",
                               kSecretNameBytesMax));
  }
  *out = secret.empty() ? StrCat(kEnvironmentPrefix, variable) : secret;
}

Value SecretRefToValue(const SecretRef& ref) {
  Value out;
  if (ref.starts_with(kEnvironmentPrefix)) {
    out["environment"] = ref.substr(kEnvironmentPrefix.size());
  } else {
    out["secret"] = ref;
  }
  return out;
}

Value ReadFree(MapReader& reader, std::string_view key, bool map_only, Problems* problems) {
  const Value* value = reader.Take(key);
  if (value == nullptr) return {};
  if (map_only && !value->is_object()) {
    reader.Error(key, StrCat("must be a map, not ", value->TypeName()));
    return {};
  }
  CheckStorable(*value, reader.PathOf(key), problems);
  return *value;
}

bool HasDotDot(std::string_view path) {
  return StrCat("/", path, "/").find("/../") != std::string::npos;
}

void CheckAbsolute(MapReader& reader, std::string_view key, const std::string& path) {
  if (path.starts_with('/') && !HasDotDot(path)) return;
  reader.Broken(key, StrCat(QuoteJson(path), " must be absolute and without \"..\""));
}

Value ListOf(const std::vector<std::string>& texts) {
  return Value::Array(texts.begin(), texts.end());
}

}  // namespace det::spec
