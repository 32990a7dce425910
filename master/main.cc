#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/flags.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/log/log.h"
#include "common/os/daemon.h"
#include "master/config/master_config.h"
#include "master/master_server.h"
#include "master/verify_command.h"

namespace {

// What another thread wants of this one comes as the signal that ends a daemon anyway.
std::atomic<bool> stopped{false};
std::atomic<bool> failed{false};

absl::Status Run(const det::config::MasterConfig& config) {
  DET_ASSIGN_OR_RETURN(const det::SignalWaiter signals,
                       det::SignalWaiter::Block({SIGTERM, SIGINT}));
  DET_RETURN_IF_ERROR(det::InitLog({.level = config.log_level, .file = config.log_file}));
  const auto fatal = [](const absl::Status&) {
    failed = true;
    kill(getpid(), SIGTERM);
  };
  const auto interrupted = [&] {
    const absl::StatusOr<int> signal = signals.Wait(absl::ZeroDuration());
    if (signal.ok() && *signal != 0) stopped = true;
    return stopped.load();
  };
  DET_ASSIGN_OR_RETURN(const auto server,
                       det::master::MasterServer::Start(config, {interrupted, fatal}));
  DET_RETURN_IF_ERROR(signals.Wait(absl::InfiniteDuration()));
  det::LogInfo("stopping");
  return failed ? absl::AbortedError("the master could not go on; its log says why")
                : absl::OkStatus();
}

std::string Usage() {
  return det::FlagUsage(
      "det-master: schedules the experiments of a cluster and serves its API and its pages.",
      {{"config FILE", "its configuration, YAML; without it the defaults hold"},
       {"data-dir DIRECTORY", "where it keeps its files; goes before the configuration's"},
       {"verify-journal", "checks the journal against the database, says what differs and ends"},
       {"version", "prints the version and ends"},
       {"help", "prints this and ends"}},
      "The keys of the configuration are shown in deploy/config/master.yaml.\n"
      "Exit codes: 0 ended as asked, 1 failed (its log says why), 2 the command line or the\n"
      "configuration is wrong.\n");
}

}  // namespace

int main(int argc, char** argv) {
  umask(0077);
  const auto flags =
      det::ParseFlags(argc, argv, {"config", "data-dir"}, {"verify-journal", "version", "help"});
  if (!flags.ok()) return det::ExitWith("det-master", flags.status());
  if (flags->Has("help")) return std::fputs(Usage().c_str(), stdout) < 0 ? 1 : 0;
  if (flags->Has("version"))
    return std::printf("det-master %s\n", det::kVersion.data()) < 0 ? 1 : 0;
  const auto config = det::config::LoadMasterConfig(flags->Get("config"), flags->Get("data-dir"));
  if (!config.ok()) return det::ExitWith("det-master", config.status());
  const absl::Status status =
      flags->Has("verify-journal") ? det::master::VerifyJournalOf(*config) : Run(*config);
  return status.ok() ? 0 : det::ExitWith("det-master", status);
}
