#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "det/agent/v1/agent.pb.h"
#include "det/api/v1/catalog.pb.h"
#include "det/api/v1/checkpoint.pb.h"
#include "det/api/v1/cluster.pb.h"
#include "det/api/v1/common.pb.h"
#include "det/api/v1/context.pb.h"
#include "det/api/v1/experiment.pb.h"
#include "det/api/v1/log.pb.h"
#include "det/api/v1/trial.pb.h"
#include "det/journal/v1/journal.pb.h"
#include "det/trial/v1/trial.pb.h"
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"

// Numbers are for ever: agents, programs and journals of other versions read them. Every number
// that a message or an enum ever used is a line of tests/proto_numbers.txt,
//   det.api.v1.Reason 1 code string
// and stays there. What is no longer used is "reserved" in its .proto.
// To take in new ones: DET_UPDATE_GOLDEN=1 ctest -R proto_numbers. It only adds lines.
namespace det {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

// "det.api.v1.Reason 1" -> "code string".
using Numbers = std::map<std::string, std::string>;

constexpr char kGolden[] = DET_SOURCE_DIR "/tests/proto_numbers.txt";

std::string TypeOf(const FieldDescriptor& field) {
  std::string type = field.type_name();
  if (field.message_type() != nullptr) type = field.message_type()->full_name();
  if (field.enum_type() != nullptr) type = field.enum_type()->full_name();
  return field.is_repeated() ? "repeated " + type : type;
}

class Collector {
 public:
  void Add(const FileDescriptor& file) {
    for (int i = 0; i < file.message_type_count(); ++i) Add(*file.message_type(i));
    for (int i = 0; i < file.enum_type_count(); ++i) Add(*file.enum_type(i));
  }

  Numbers numbers;
  std::set<std::string> types;

  // Of a message or enum: may the number never come back?
  bool IsReserved(const std::string& type, int number) const {
    const auto* pool = google::protobuf::DescriptorPool::generated_pool();
    if (const Descriptor* message = pool->FindMessageTypeByName(type))
      return message->IsReservedNumber(number);
    const EnumDescriptor* found = pool->FindEnumTypeByName(type);
    return found != nullptr && found->IsReservedNumber(number);
  }

 private:
  void Add(const Descriptor& message) {
    types.insert(message.full_name());
    for (int i = 0; i < message.field_count(); ++i) {
      const FieldDescriptor& field = *message.field(i);
      numbers[message.full_name() + " " + std::to_string(field.number())] =
          field.name() + " " + TypeOf(field);
    }
    for (int i = 0; i < message.nested_type_count(); ++i) Add(*message.nested_type(i));
    for (int i = 0; i < message.enum_type_count(); ++i) Add(*message.enum_type(i));
  }
  void Add(const EnumDescriptor& e) {
    types.insert(e.full_name());
    for (int i = 0; i < e.value_count(); ++i)
      numbers[e.full_name() + " " + std::to_string(e.value(i)->number())] = e.value(i)->name();
  }
};

// Makes the linker keep every file's descriptors.
void Link() {
  for (const google::protobuf::Descriptor* one : {agent::v1::Hello::descriptor(),
                                                  api::v1::User::descriptor(),
                                                  api::v1::Checkpoint::descriptor(),
                                                  api::v1::Agent::descriptor(),
                                                  api::v1::Reason::descriptor(),
                                                  api::v1::HasContextRequest::descriptor(),
                                                  api::v1::Experiment::descriptor(),
                                                  api::v1::LogLine::descriptor(),
                                                  api::v1::Trial::descriptor(),
                                                  journal::v1::Record::descriptor(),
                                                  trial::v1::InfoResponse::descriptor()}) {
    ASSERT_NE(one, nullptr);
  }
}

Collector Collect() {
  namespace fs = std::filesystem;
  Link();
  Collector collector;
  const fs::path root = fs::path(DET_SOURCE_DIR) / "proto";
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".proto") continue;
    const std::string name = fs::relative(entry.path(), root).string();
    const FileDescriptor* file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    EXPECT_NE(file, nullptr) << name << " is not linked into this test: name it in Link()";
    if (file != nullptr) collector.Add(*file);
  }
  return collector;
}

// "type number rest of the line"
Numbers ReadGolden() {
  Numbers numbers;
  std::ifstream in(kGolden);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t at = line.find(' ', line.find(' ') + 1);
    numbers[line.substr(0, at)] = line.substr(at + 1);
  }
  return numbers;
}

void WriteGolden(const Numbers& numbers) {
  std::ofstream out(kGolden);
  out << "# Every number that a message or enum of proto/det ever used: type, number, name, type.\n"
         "# Lines are only added (DET_UPDATE_GOLDEN=1 ctest -R proto_numbers), never changed.\n";
  for (const auto& [key, meaning] : numbers) out << key << " " << meaning << "\n";
}

// What became of a number that was once used; "" when nothing did.
std::string Broken(const Collector& now, const std::string& key, const std::string& meaning) {
  const std::string type = key.substr(0, key.find(' '));
  const int number = std::atoi(key.c_str() + type.size());
  const auto found = now.numbers.find(key);
  if (found == now.numbers.end()) {
    if (!now.types.contains(type) || now.IsReserved(type, number)) return "";
    return key + " (" + meaning + ") is gone: reserve it, \"reserved " + std::to_string(number) +
           ";\", so that nothing else takes it";
  }
  if (found->second == meaning) return "";
  return key + " was \"" + meaning + "\" and is now \"" + found->second +
         "\": what others wrote would be read wrongly; give the new one the next free number";
}

TEST(ProtoNumbers, AreNeverChangedReusedOrForgotten) {
  const Collector now = Collect();
  Numbers golden = ReadGolden();
  std::string broken;
  for (const auto& [key, meaning] : golden) {
    const std::string what = Broken(now, key, meaning);
    if (!what.empty()) broken += what + "\n";
  }
  EXPECT_EQ(broken, "");
  std::string added;
  for (const auto& [key, meaning] : now.numbers) {
    if (golden.emplace(key, meaning).second) StrAppend(added, key, " ", meaning, "\n");
  }
  if (std::getenv("DET_UPDATE_GOLDEN") != nullptr) return WriteGolden(golden);
  EXPECT_EQ(added, "") << "new numbers; take them in with DET_UPDATE_GOLDEN=1 ctest -R "
                          "proto_numbers";
}

TEST(ProtoNumbers, AChangeIsFound) {
  const Collector now = Collect();
  EXPECT_EQ(Broken(now, "det.api.v1.Reason 1", "code string"), "");
  EXPECT_NE(Broken(now, "det.api.v1.Reason 1", "code int64"), "");
  EXPECT_NE(Broken(now, "det.api.v1.Reason 1", "name string"), "");
  EXPECT_NE(Broken(now, "det.api.v1.Reason 99", "gone string"), "");
  EXPECT_NE(Broken(now, "det.agent.v1.StopLevel 7", "STOP_LEVEL_GONE"), "");
  EXPECT_EQ(Broken(now, "det.api.v1.NoMessageAnyMore 1", "gone string"), "");
}

}  // namespace
}  // namespace det
