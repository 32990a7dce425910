#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/map_reader.h"
#include "master/spec/experiment_spec.h"

// What the parsers of this folder share.
namespace det::spec {

const Value& OrNull(const Value* value);

// A list under `key`; nullptr when it is absent or something else, which is noted.
const Value::Array* TakeList(MapReader& reader, std::string_view key, int64_t count_max);

// {batches: N}, {epochs: N} or {records: N} with N of at least `min`.
std::optional<Length> ReadLength(MapReader& reader,
                                 std::string_view key,
                                 int64_t min,
                                 Problems* problems);
Value LengthToValue(const Length& length);

// {secret: NAME} or {environment: NAME}.
void ReadSecretRef(MapReader& reader, std::string_view key, Problems* problems, SecretRef* out);
Value SecretRefToValue(const SecretRef& ref);

// A free value that can be stored. Not taken where it is something else than a map, if that is
// asked for.
Value ReadFree(MapReader& reader, std::string_view key, bool map_only, Problems* problems);

// Whether ".." is one of the path's parts.
bool HasDotDot(std::string_view path);
// A path that begins at the root and stays below it.
void CheckAbsolute(MapReader& reader, std::string_view key, const std::string& path);

Value ListOf(const std::vector<std::string>& texts);

}  // namespace det::spec
