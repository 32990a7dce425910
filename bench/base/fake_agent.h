#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "bench/base/cluster.h"
#include "det/agent/v1/agent.grpc.pb.h"
#include <grpcpp/grpcpp.h>

#include "common/base/mutex.h"

namespace det::bench {

// An agent as the master sees it: says that whatever it is given runs, and ships what it is told
// to. One thread.
class FakeAgent {
 public:
  struct Run {
    int64_t allocation = 0;
    int64_t trial = 0;
  };

  static absl::StatusOr<std::unique_ptr<FakeAgent>> Connect(const Cluster& cluster,
                                                            const std::string& name,
                                                            int slots);
  ~FakeAgent();

  // The only run that it has, once it has one.
  std::optional<Run> run() const;

  // Sends the records of its run and waits until the last of them is durable.
  absl::Status Ship(const agent::v1::ShipRequest& request);
  // The same in two halves, with any number of Sends before the Await.
  absl::Status Send(const agent::v1::ShipRequest& request);
  absl::Status AwaitAck(int64_t seq);

 private:
  FakeAgent() = default;
  void Listen();

  std::unique_ptr<agent::v1::AgentControl::Stub> control_;
  std::unique_ptr<agent::v1::AgentData::Stub> data_;
  grpc::ClientContext control_context_;
  grpc::ClientContext data_context_;
  std::unique_ptr<grpc::ClientReaderWriter<agent::v1::AgentMessage, agent::v1::MasterMessage>>
      link_;
  std::unique_ptr<grpc::ClientReaderWriter<agent::v1::ShipRequest, agent::v1::ShipReply>> ship_;
  int64_t acked_ = 0;  // of the stream that was last shipped
  mutable Mutex mutex_;
  std::optional<Run> run_ ABSL_GUARDED_BY(mutex_);
  std::thread listener_;
};

// So many agents of one slot, each of which holds a trial of one experiment.
absl::StatusOr<std::vector<std::unique_ptr<FakeAgent>>> StartRuns(const Cluster& cluster,
                                                                  int count);

}  // namespace det::bench
