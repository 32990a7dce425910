#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "cli/client/client.h"

namespace det::cli {

// What a fake master knows and how it behaves. A test writes it as it likes.
struct Model {
  api::GetClusterResponse cluster;
  std::map<int64_t, api::Experiment> experiments;
  std::map<int64_t, std::string> configs;  // effective, JSON
  std::map<int64_t, std::vector<api::Transition>> experiment_histories;
  std::map<int64_t, int64_t> trials_waiting;  // of experiments
  std::map<int64_t, double> seconds_left;
  std::map<int64_t, api::Trial> trials;
  std::map<int64_t, std::vector<api::Transition>> trial_histories;
  std::map<int64_t, std::vector<api::MetricPoint>> metrics;
  std::map<int64_t, std::vector<api::MetricSummary>> summaries;
  std::map<int64_t, std::vector<api::LogLine>> logs;
  std::vector<api::Checkpoint> checkpoints;
  std::vector<api::Agent> agents;
  std::vector<api::Job> jobs;
  std::map<std::string, api::ExplainResponse> explanations;  // "trial 17"
  api::PreviewSearchResponse preview;
  api::PlanExperimentResponse plan;
  std::map<std::string, std::string> contexts;  // archives by their SHA-256
  std::vector<std::string> warnings;            // of any configuration

  std::string token;                             // what a call has to bring; empty: nothing
  std::map<std::string, absl::Status> failures;  // by the name of the call; reason and hint too
  std::set<std::string> hanging;                 // calls that are never answered
  int64_t streams_cut = 0;                       // a higher number breaks all streams there are

  std::string list_asked;  // filter and sort of the last list: "state = ACTIVE|-id,name"
  api::GetHealthResponse health;

  std::vector<std::string> calls;  // that came, in their order
  std::vector<api::CreateExperimentRequest> created;
  std::vector<api::TailLogsRequest> tailed;
};

// The public API in this process, on a port of this machine, as far as the command line needs it:
// Model behind gRPC. Any thread.
class FakeMaster {
 public:
  explicit FakeMaster(Model model = {});
  ~FakeMaster();
  FakeMaster(const FakeMaster&) = delete;
  FakeMaster& operator=(const FakeMaster&) = delete;

  const std::string& address() const { return address_; }

  // Changes the model; streams tell at once.
  void Edit(const std::function<void(Model&)>& edit);
  Model Look() const;
  // Waits until the model is so; false when it does not become so in time.
  bool Await(const std::function<bool(const Model&)>& condition) const;

 private:
  class Services;
  std::unique_ptr<Services> services_;
  std::string address_;
};

}  // namespace det::cli
