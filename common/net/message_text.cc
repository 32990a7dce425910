#include "common/net/message_text.h"

#include <vector>

#include <google/protobuf/message.h>

#include "common/base/utf8.h"

namespace det::net {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void MakeFieldUtf8(Message* message, const FieldDescriptor* field) {
  const auto* reflection = message->GetReflection();
  if (!field->is_repeated()) {
    const std::string text = reflection->GetString(*message, field);
    return reflection->SetString(message, field, ToUtf8(text));
  }
  for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
    const std::string text = reflection->GetRepeatedString(*message, field, i);
    reflection->SetRepeatedString(message, field, i, ToUtf8(text));
  }
}

void MakeMembersUtf8(Message* message, const FieldDescriptor* field) {
  const auto* reflection = message->GetReflection();
  if (!field->is_repeated()) return MakeStringsUtf8(reflection->MutableMessage(message, field));
  for (int i = 0; i < reflection->FieldSize(*message, field); ++i)
    MakeStringsUtf8(reflection->MutableRepeatedMessage(message, field, i));
}

}  // namespace

void MakeStringsUtf8(Message* message) {
  std::vector<const FieldDescriptor*> fields;
  message->GetReflection()->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->type() == FieldDescriptor::TYPE_STRING) MakeFieldUtf8(message, field);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) MakeMembersUtf8(message, field);
  }
}

}  // namespace det::net
