#pragma once

#include "cli/format/document.h"

namespace google::protobuf {
class Message;
}

namespace det::cli {

// A message of the API as the JSON that this program promises: every field, in the order of the
// proto, under its name, with these exceptions. A time loses the suffix _unix_nanos and becomes RFC
// 3339, or null for "not yet". A text that is JSON loses the suffix _json and becomes what it says.
// An optional that is absent is null. Bytes are text, with U+FFFD for what is no UTF-8. Enums are
// their names. A text that comes only where it is asked for is left out elsewhere.
Document ToDocument(const google::protobuf::Message& message);

// A list of messages.
template <class Range>
Document ToDocumentList(const Range& messages) {
  Document::List list;
  for (const auto& message : messages) list.push_back(ToDocument(message));
  return list;
}

// The value of a text that is said to be JSON; the text itself when it is none, {} when it is
// empty.
Document JsonTextDocument(const std::string& text);

}  // namespace det::cli
