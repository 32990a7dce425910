#include "common/filter/field.h"

#include <algorithm>

#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::filter {
namespace {

// Longer names are nobody's slip of the finger.
constexpr size_t kNameBytesMax = 64;

absl::Status Bad(std::string_view what, std::string_view hint) {
  return Error(absl::StatusCode::kInvalidArgument, "BAD_FILTER", what, hint);
}

absl::Status Unknown(const FieldTable& table, const std::string& name) {
  const std::string nearest =
      name.size() > kNameBytesMax ? std::string() : Nearest(name, table.Names());
  return Bad(StrCat(table.what(), " has no field ", QuoteJson(CutUtf8(name, kNameBytesMax))),
             nearest.empty() ? StrCat("the fields are ", StrJoin(table.Names(), ", "))
                             : StrCat("did you mean ", nearest, "?"));
}

}  // namespace

std::vector<std::string> FieldTable::Names() const {
  std::vector<std::string> names;
  for (const Field& field : fields_) names.push_back(field.name);
  return names;
}

absl::StatusOr<FieldPath> FindField(const FieldTable& table,
                                    const std::vector<std::string>& parts) {
  std::string name;
  const Field* found = nullptr;
  size_t used = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    StrAppend(name, i == 0 ? "" : ".", parts[i]);
    for (const Field& field : table.fields()) {
      if (field.name != name) continue;
      found = &field;
      used = i + 1;
    }
  }
  if (found == nullptr) return Unknown(table, name);
  FieldPath path{found, {parts.begin() + static_cast<std::ptrdiff_t>(used), parts.end()}};
  if (found->type == Type::kJson) {
    if (!path.path.empty()) return path;
    return Bad(StrCat(found->name, " has many values"),
               StrCat("name one, as in ", found->name, ".lr"));
  }
  if (path.path.empty()) return path;
  return Unknown(table, name);
}

const Value* PartOf(const Value& value, const std::vector<std::string>& path) {
  const Value* part = &value;
  for (const std::string& key : path) {
    part = part->Find(key);
    if (part == nullptr) return nullptr;
  }
  return part;
}

}  // namespace det::filter
