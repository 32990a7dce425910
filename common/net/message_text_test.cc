#include "common/net/message_text.h"

#include "det/agent/v1/agent.pb.h"
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"

namespace det::net {
namespace {

constexpr char kMark[] = "\xEF\xBF\xBD";

TEST(MakeStringsUtf8, ReachesEveryStringAndNoBytes) {
  agent::v1::ShipRequest request;
  request.add_logs()->set_text("\xff");
  request.add_reports()->mutable_metrics()->set_group("\xff");
  MakeStringsUtf8(&request);
  EXPECT_EQ(request.logs(0).text(), "\xff");
  EXPECT_EQ(request.reports(0).metrics().group(), kMark);
  agent::v1::DesiredSet desired;
  agent::v1::RunOrder* order = desired.add_allocations()->mutable_order();
  for (const char* word : {"gr\xc3\xbcn", "\xc3"}) order->add_entrypoint(word);
  MakeStringsUtf8(&desired);
  EXPECT_EQ(order->entrypoint(0), "gr\xc3\xbcn");
  EXPECT_EQ(order->entrypoint(1), kMark);
  EXPECT_TRUE(agent::v1::DesiredSet().ParseFromString(desired.SerializeAsString()));
}

TEST(GrpcStatus, AHintOfAnyBytesKeepsTheReason) {
  const absl::Status status =
      FromGrpc(ToGrpc(Error(absl::StatusCode::kNotFound, "NO_FILE", "none", "look at \xff")));
  EXPECT_EQ(ErrorReason(status), "NO_FILE");
  EXPECT_EQ(ErrorHint(status), StrCat("look at ", kMark));
}

}  // namespace
}  // namespace det::net
