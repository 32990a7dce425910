#include "cli/view/proto_document.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "common/base/strings.h"
#include "common/json/json.h"

namespace det::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::string_view kTimeSuffix = "_unix_nanos";
constexpr std::string_view kJsonSuffix = "_json";
constexpr std::string_view kJsonField = "effective_config";
constexpr std::string_view kFieldOnRequest = "submitted_config";

bool IsTime(const FieldDescriptor& field) {
  return std::string_view(field.name()).ends_with(kTimeSuffix);
}

bool IsJson(const FieldDescriptor& field) {
  return std::string_view(field.name()).ends_with(kJsonSuffix) || field.name() == kJsonField;
}

std::string NameOf(const FieldDescriptor& field) {
  std::string_view name = field.name();
  if (IsTime(field)) name.remove_suffix(kTimeSuffix.size());
  if (name.ends_with(kJsonSuffix)) name.remove_suffix(kJsonSuffix.size());
  return std::string(name);
}

Document Text(const FieldDescriptor& field, const std::string& text) {
  if (IsJson(field)) return JsonTextDocument(text);
  return ToValidUtf8(text);
}

Document Integer(const FieldDescriptor& field, int64_t number) {
  if (!IsTime(field)) return number;
  if (number == 0) return {};
  return Rfc3339(absl::FromUnixNanos(number));
}

// One access to a field: of itself, or of its element `index`.
struct Access {
  const Message& message;
  const FieldDescriptor& field;
  int index = -1;

  template <class T>
  T Get(T (Reflection::*single)(const Message&, const FieldDescriptor*) const,
        T (Reflection::*repeated)(const Message&, const FieldDescriptor*, int) const) const {
    const Reflection& reflection = *message.GetReflection();
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  }

  const Message& GetMessage() const {
    const Reflection& reflection = *message.GetReflection();
    return index < 0 ? reflection.GetMessage(message, &field)
                     : reflection.GetRepeatedMessage(message, &field, index);
  }
};

Document ValueOf(const Access& at) {
  using R = Reflection;
  switch (at.field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Integer(at.field, at.Get(&R::GetInt32, &R::GetRepeatedInt32));
    case FieldDescriptor::CPPTYPE_INT64:
      return Integer(at.field, at.Get(&R::GetInt64, &R::GetRepeatedInt64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return static_cast<int64_t>(at.Get(&R::GetUInt32, &R::GetRepeatedUInt32));
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<int64_t>(at.Get(&R::GetUInt64, &R::GetRepeatedUInt64));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return at.Get(&R::GetDouble, &R::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return static_cast<double>(at.Get(&R::GetFloat, &R::GetRepeatedFloat));
    case FieldDescriptor::CPPTYPE_BOOL:
      return at.Get(&R::GetBool, &R::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return std::string(at.Get(&R::GetEnum, &R::GetRepeatedEnum)->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return Text(at.field, at.Get(&R::GetString, &R::GetRepeatedString));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToDocument(at.GetMessage());
  }
  return {};
}

Document FieldDocument(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  if (field.is_repeated()) {
    Document::List list;
    const int size = reflection.FieldSize(message, &field);
    for (int i = 0; i < size; ++i) list.push_back(ValueOf({message, field, i}));
    return list;
  }
  if (field.has_presence() && !reflection.HasField(message, &field)) return {};
  return ValueOf({message, field});
}

}  // namespace

Document ToDocument(const Message& message) {
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  Document::Map map;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    Document value = FieldDocument(message, field);
    const bool unasked = field.name() == kFieldOnRequest && value.text()->empty();
    if (!unasked) map.emplace_back(NameOf(field), std::move(value));
  }
  return map;
}

Document JsonTextDocument(const std::string& text) {
  if (text.empty()) return Document::Map();
  const absl::StatusOr<Value> value = ParseJson(text);
  return value.ok() ? Document::FromValue(*value) : Document(ToValidUtf8(text));
}

}  // namespace det::cli
