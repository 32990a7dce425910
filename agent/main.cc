#include <csignal>
#include <cstdio>
#include <string>

#include <sys/stat.h>

#include "agent/agent_server.h"
#include "common/base/flags.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/log/log.h"
#include "common/os/daemon.h"

namespace {

absl::Status Run(const det::agent::AgentConfig& config) {
  DET_ASSIGN_OR_RETURN(const det::SignalWaiter signals,
                       det::SignalWaiter::Block({SIGTERM, SIGINT}));
  DET_RETURN_IF_ERROR(det::InitLog({.level = config.log_level, .file = config.log_file}));
  DET_ASSIGN_OR_RETURN(const auto server, det::agent::AgentServer::Start(config));
  DET_RETURN_IF_ERROR(signals.Wait(absl::InfiniteDuration()));
  det::LogInfo("stopping; tasks go on");
  return absl::OkStatus();
}

std::string Usage() {
  return det::FlagUsage("det-agent: runs a cluster's tasks on this machine.",
                        {{"config FILE", "its configuration, YAML; without it the defaults hold"},
                         {"version", "prints the version and ends"},
                         {"help", "prints this and ends"}},
                        "The keys of the configuration are shown in deploy/config/agent.yaml.\n"
                        "Exit codes: 0 ended as asked (tasks go on), 1 failed (its log says why), "
                        "2 the command\nline or the configuration is wrong.\n");
}

}  // namespace

int main(int argc, char** argv) {
  umask(0077);
  signal(SIGPIPE, SIG_IGN);
  const auto flags = det::ParseFlags(argc, argv, {"config"}, {"version", "help"});
  if (!flags.ok()) return det::ExitWith("det-agent", flags.status());
  if (flags->Has("help")) return std::fputs(Usage().c_str(), stdout) < 0 ? 1 : 0;
  if (flags->Has("version")) return std::printf("det-agent %s\n", det::kVersion.data()) < 0 ? 1 : 0;
  const auto config = det::agent::LoadAgentConfig(flags->Get("config"));
  if (!config.ok()) return det::ExitWith("det-agent", config.status());
  const absl::Status status = Run(*config);
  return status.ok() ? 0 : det::ExitWith("det-agent", status);
}
