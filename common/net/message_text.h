#pragma once

namespace google::protobuf {
class Message;
}

namespace det::net {

// Makes every string of the message UTF-8, those of its members too: whoever gets a message with
// one that is not refuses all of it, and where it came from (a file's name, an error that quotes
// one, the command line) nobody promised that it is. Bytes stay as they are.
void MakeStringsUtf8(google::protobuf::Message* message);

}  // namespace det::net
