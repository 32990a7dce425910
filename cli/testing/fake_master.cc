#include "cli/testing/fake_master.h"

#include <algorithm>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "cli/testing/fake_services.h"
#include "common/base/check.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {

class FakeMaster::Services {
 public:
  explicit Services(Model model) : state_(std::move(model)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&experiments_);
    builder.RegisterService(&trials_);
    builder.RegisterService(&logs_);
    builder.RegisterService(&checkpoints_);
    builder.RegisterService(&contexts_);
    builder.RegisterService(&cluster_);
    server_ = builder.BuildAndStart();
    DET_CHECK(server_ != nullptr);
  }

  ~Services() {
    state_.Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  int port() const { return port_; }
  FakeState& state() { return state_; }

 private:
  FakeState state_;
  FakeExperiments experiments_{&state_};
  FakeTrials trials_{&state_};
  FakeLogs logs_{&state_};
  FakeCheckpoints checkpoints_{&state_};
  FakeContexts contexts_{&state_};
  FakeCluster cluster_{&state_};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

FakeMaster::FakeMaster(Model model)
    : services_(std::make_unique<Services>(std::move(model))),
      address_(StrCat("127.0.0.1:", services_->port())) {}

FakeMaster::~FakeMaster() = default;

void FakeMaster::Edit(const std::function<void(Model&)>& edit) {
  services_->state().Edit(edit);
}

Model FakeMaster::Look() const {
  Model model;
  services_->state().Edit([&](const Model& now) { model = now; });
  return model;
}

bool FakeMaster::Await(const std::function<bool(const Model&)>& condition) const {
  return services_->state().Await(condition, absl::Seconds(20));
}

}  // namespace det::cli
