#include "cli/cluster/up.h"

#include <algorithm>

#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/agent_config.h"
#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/client/contexts.h"
#include "cli/client/live_pages.h"
#include "cli/cluster/daemon.h"
#include "cli/cluster/ports.h"
#include "cli/cluster/settings.h"
#include "cli/cluster/up_lock.h"
#include "cli/cluster/wait.h"
#include "cli/format/quantity.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/version.h"
#include "common/json/json.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::cli {
namespace {

constexpr size_t kSmallFileBytesMax = 64 << 10;
constexpr int64_t kPortMax = 65535;
constexpr int64_t kSlotsMax = 1024;
constexpr absl::Duration kMasterPatience = absl::Minutes(2);
constexpr absl::Duration kAgentPatience = absl::Minutes(1);
constexpr absl::Duration kAgentStopPatience = absl::Seconds(15);

// What det-master says of itself once it serves.
struct MasterReady {
  int64_t pid = 0;
  int64_t grpc_port = 0;
  int64_t http_port = 0;
  std::string host;
  std::string cluster_id;
  std::string version;
};

// Nothing while there is no such file; it is replaced whole.
absl::StatusOr<std::optional<MasterReady>> ReadReady(const std::string& path) {
  const absl::StatusOr<std::string> text = det::ReadFile(path, kSmallFileBytesMax);
  if (absl::IsNotFound(text.status())) return std::optional<MasterReady>();
  if (!text.ok()) return text.status();
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(*text));
  const auto number = [&](std::string_view key) {
    const Value* member = value.Find(key);
    return member != nullptr && member->is_int() ? member->as_int() : int64_t{0};
  };
  const auto word = [&](std::string_view key) {
    const Value* member = value.Find(key);
    return member != nullptr && member->is_string() ? member->as_string() : std::string();
  };
  return std::optional(MasterReady{number("pid"),
                                   number("grpc_port"),
                                   number("http_port"),
                                   word("host"),
                                   word("cluster_id"),
                                   word("version")});
}

std::string HostPort(const std::string& host, int64_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? StrCat("[", host, "]:", port) : StrCat(host, ":", port);
}

absl::Status CheckRange(std::string_view name, std::optional<int64_t> value, int64_t max) {
  if (!value.has_value() || (*value >= 1 && *value <= max)) return absl::OkStatus();
  return UsageError(StrCat(name, ": ", *value, " is not between 1 and ", max));
}

absl::Status CheckOptions(const UpOptions& options) {
  DET_RETURN_IF_ERROR(CheckRange("--slots", options.slots, kSlotsMax));
  DET_RETURN_IF_ERROR(CheckRange("--grpc-port", options.grpc_port, kPortMax));
  DET_RETURN_IF_ERROR(CheckRange("--http-port", options.http_port, kPortMax));
  if (options.grpc_port.has_value() && options.grpc_port == options.http_port) {
    return UsageError("--grpc-port and --http-port can't be the same");
  }
  return absl::OkStatus();
}

// Something that runs can't be changed.
absl::Status Differs(std::string_view what, std::string_view now, std::string_view option) {
  return Error(absl::StatusCode::kFailedPrecondition,
               "RUNS_DIFFERENTLY",
               StrCat(what, " runs already, with ", now),
               StrCat("det down, then det up ", option));
}

absl::Status Edited(const std::string& path, std::string_view option) {
  return Error(absl::StatusCode::kFailedPrecondition,
               "CONFIG_EDITED",
               StrCat(option, " can't be set: ", path, " was edited by hand"),
               "change it there, or remove the file to have it made anew");
}

class Starter {
 public:
  Starter(Context& context, const UpOptions& options, Layout layout)
      : context_(context), options_(options), layout_(std::move(layout)) {}

  absl::StatusOr<LocalCluster> Run() {
    DET_RETURN_IF_ERROR(PrepareDirectory());
    DET_ASSIGN_OR_RETURN(const LockFile turn, TakeTurn(context_, layout_));
    DET_ASSIGN_OR_RETURN(settings_, ReadSettings(layout_));
    DET_RETURN_IF_ERROR(EnsureMaster());
    DET_RETURN_IF_ERROR(EnsureAgent());
    DET_RETURN_IF_ERROR(WriteSettings(layout_, settings_));
    DET_RETURN_IF_ERROR(Remember());
    return result_;
  }

 private:
  absl::Status PrepareDirectory() {
    struct stat info {};
    const bool is_new = stat(layout_.data().c_str(), &info) != 0;
    const bool root = geteuid() == 0;
    // PostgreSQL does not run as root, and its user has to pass through.
    DET_RETURN_IF_ERROR(MakeDirs(layout_.data(), root ? 0711 : 0700));
    if (is_new && root && chmod(layout_.data().c_str(), 0711) != 0) {
      return OsError(errno, "open up", layout_.data());
    }
    result_.data_dir = layout_.data();
    return absl::OkStatus();
  }

  absl::Status EnsureMaster() {
    const Daemon daemon = MasterDaemon(layout_);
    DET_ASSIGN_OR_RETURN(const std::optional<ProcessId> running, FindDaemon(daemon));
    if (running.has_value()) {
      master_.id = *running;
    } else {
      DET_RETURN_IF_ERROR(ConfigureMaster());
      DET_RETURN_IF_ERROR(WriteSettings(layout_, settings_));
      DET_ASSIGN_OR_RETURN(const std::string program,
                           FindProgram(daemon.program, context_.getenv()));
      DET_ASSIGN_OR_RETURN(
          master_,
          StartDaemon(
              daemon,
              {program, "--config", layout_.master_config(), "--data-dir", layout_.master_data()}));
      result_.master_started = true;
    }
    DET_RETURN_IF_ERROR(AwaitMaster(daemon));
    return running.has_value() ? CheckRunningMaster() : absl::OkStatus();
  }

  absl::Status ConfigureMaster() {
    DET_ASSIGN_OR_RETURN(const bool edited,
                         IsEdited(layout_.master_config(), settings_.master_hash));
    if (edited) {
      const std::string_view option = options_.grpc_port.has_value()   ? "--grpc-port"
                                      : options_.http_port.has_value() ? "--http-port"
                                      : options_.db_url.empty()        ? ""
                                                                       : "--db-url";
      return option.empty() ? absl::OkStatus() : Edited(layout_.master_config(), option);
    }
    DET_RETURN_IF_ERROR(ChoosePort("--grpc-port", options_.grpc_port, 0, &settings_.grpc_port));
    DET_RETURN_IF_ERROR(
        ChoosePort("--http-port", options_.http_port, settings_.grpc_port, &settings_.http_port));
    if (!options_.db_url.empty()) settings_.db_url = options_.db_url;
    return WriteMasterConfig(layout_, &settings_);
  }

  // A port that somebody has named is taken or refused; another one gives way.
  absl::Status ChoosePort(std::string_view option,
                          std::optional<int64_t> named,
                          int64_t not_this,
                          int64_t* port) {
    const int64_t wanted = named.value_or(*port);
    DET_ASSIGN_OR_RETURN(const int64_t free, FreePort(wanted, named.has_value() ? 0 : not_this));
    if (free != wanted && named.has_value()) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "PORT_IN_USE",
                   StrCat("port ", wanted, " of 127.0.0.1 is in use"),
                   StrCat("name another ",
                          option,
                          ", or none to have a free one taken; ss -ltnp 'sport = :",
                          wanted,
                          "' tells who uses it"));
    }
    if (free != wanted) context_.Note(StrCat("port ", wanted, " is in use, so ", free, " it is"));
    *port = free;
    return absl::OkStatus();
  }

  absl::Status AwaitMaster(const Daemon& daemon) {
    const Awaited what{daemon, master_, result_.master_started, "ready"};
    const auto is_ready = [this]() -> absl::StatusOr<bool> {
      DET_ASSIGN_OR_RETURN(const auto ready, ReadReady(layout_.master_ready()));
      // An earlier one that was killed has left its own.
      if (!ready.has_value() || ready->pid != master_.id.pid) return false;
      ready_ = *ready;
      return true;
    };
    DET_RETURN_IF_ERROR(
        Await(context_, what, context_.options().timeout.value_or(kMasterPatience), is_ready));
    result_.master = HostPort(ready_.host, ready_.grpc_port);
    result_.http = StrCat("http://", HostPort(ready_.host, ready_.http_port));
    result_.cluster_id = ready_.cluster_id;
    result_.version = ready_.version;
    return absl::OkStatus();
  }

  absl::Status CheckRunningMaster() {
    const auto other = [](std::optional<int64_t> named, int64_t now) {
      return named.has_value() && *named != now;
    };
    if (other(options_.grpc_port, ready_.grpc_port)) {
      return Differs("det-master",
                     StrCat("port ", ready_.grpc_port),
                     StrCat("--grpc-port ", *options_.grpc_port));
    }
    if (other(options_.http_port, ready_.http_port)) {
      return Differs("det-master",
                     StrCat("port ", ready_.http_port, " for HTTP"),
                     StrCat("--http-port ", *options_.http_port));
    }
    if (!options_.db_url.empty() && options_.db_url != settings_.db_url) {
      return Differs("det-master", "another database", "--db-url URL");
    }
    if (ready_.version != kVersion) {
      context_.Note(StrCat("det-master ",
                           ready_.version,
                           " runs, and this is det ",
                           kVersion,
                           ": det down, then det up changes to it"));
    }
    return absl::OkStatus();
  }

  absl::Status EnsureAgent() {
    DET_ASSIGN_OR_RETURN(const bool edited, IsEdited(layout_.agent_config(), settings_.agent_hash));
    if (edited && options_.slots.has_value()) return Edited(layout_.agent_config(), "--slots");
    if (edited) {
      DET_ASSIGN_OR_RETURN(agent_, agent::LoadAgentConfig(layout_.agent_config()));
    }
    const std::string data = edited ? agent_.data_dir : layout_.agent_data();
    const Daemon daemon = AgentDaemon(layout_, data);
    DET_ASSIGN_OR_RETURN(std::optional<ProcessId> running, FindDaemon(daemon));
    if (!edited) DET_RETURN_IF_ERROR(ConfigureAgent(daemon, &running));
    if (agent_.master != result_.master) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "OTHER_MASTER",
                   StrCat(layout_.agent_config(),
                          " names the master ",
                          agent_.master,
                          ", but this cluster's is at ",
                          result_.master),
                   "change it there, or remove the file to have it made anew");
    }
    StartedDaemon started;
    if (running.has_value()) {
      started.id = *running;
    } else {
      DET_ASSIGN_OR_RETURN(started, StartAgent(daemon));
    }
    return AwaitAgent(daemon, started);
  }

  // An agent that runs with another configuration than it would get now is stopped, which its tasks
  // do not notice: after a crash the master may have had to move to another port.
  absl::Status ConfigureAgent(const Daemon& daemon, std::optional<ProcessId>* running) {
    const int64_t slots = options_.slots.value_or(settings_.slots);
    if (running->has_value() && slots != settings_.slots) {
      const std::string now =
          settings_.slots == 0 ? "one slot for each core" : Count(settings_.slots, "slot");
      return Differs("det-agent", now, StrCat("--slots ", slots));
    }
    settings_.slots = slots;
    const std::string before = settings_.agent_hash;
    DET_RETURN_IF_ERROR(WriteAgentConfig(layout_, result_.master, &settings_));
    DET_RETURN_IF_ERROR(WriteSettings(layout_, settings_));
    DET_ASSIGN_OR_RETURN(agent_, agent::LoadAgentConfig(layout_.agent_config()));
    if (running->has_value() && before != settings_.agent_hash) {
      DET_RETURN_IF_ERROR(StopDaemon(daemon, **running, kAgentStopPatience).status());
      running->reset();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<StartedDaemon> StartAgent(const Daemon& daemon) {
    DET_ASSIGN_OR_RETURN(const std::string program, FindProgram(daemon.program, context_.getenv()));
    result_.agent_started = true;
    return StartDaemon(daemon, {program, "--config", layout_.agent_config()});
  }

  absl::Status AwaitAgent(const Daemon& daemon, const StartedDaemon& started) {
    DET_ASSIGN_OR_RETURN(const std::string token,
                         det::ReadFile(layout_.token("admin"), kSmallFileBytesMax));
    const std::unique_ptr<Client> client =
        Client::Create({.address = result_.master,
                        .address_source = layout_.master_ready(),
                        .token = Secret(token.substr(0, token.find('\n'))),
                        .token_source = layout_.token("admin")},
                       {});
    const Awaited what{daemon, started, result_.agent_started, "connected"};
    const auto is_connected = [&]() -> absl::StatusOr<bool> {
      const absl::StatusOr<AgentPages> pages = ListAgents(client.get());
      if (!pages.ok()) return MasterTrouble(pages.status());
      const auto& agents = pages->items;
      const auto at = std::find_if(agents.begin(), agents.end(), [&](const auto& a) {
        return a.id() == agent_.agent_id && a.state() == "CONNECTED";
      });
      if (at == agents.end()) return false;
      result_.agent = at->id();
      result_.slots = at->slots_size();
      return true;
    };
    return Await(context_, what, context_.options().timeout.value_or(kAgentPatience), is_connected);
  }

  // False: it may pass.
  absl::StatusOr<bool> MasterTrouble(const absl::Status& status) const {
    DET_ASSIGN_OR_RETURN(const bool alive, IsAlive(master_.id));
    if (!alive && result_.master_started) return DeathOf(MasterDaemon(layout_), master_);
    if (!alive || (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status))) {
      return status;
    }
    return false;
  }

  // The context of this machine's cluster, which commands now go to.
  absl::Status NameContext() {
    absl::StatusOr<Contexts> contexts = ReadContexts(context_.getenv());
    // A file that nobody can read names no cluster that this would take away.
    if (!contexts.ok()) contexts = Contexts();
    if (!contexts->current.empty() && contexts->current != kLocalContext) {
      context_.Note(StrCat("the context is now ",
                           kLocalContext,
                           "; det context use ",
                           contexts->current,
                           " goes back"));
    }
    contexts->current = kLocalContext;
    contexts->Put(
        {.name = kLocalContext, .master = result_.master, .token_file = layout_.token("admin")});
    return WriteContexts(context_.getenv(), *contexts);
  }

  // So that every command finds the cluster.
  absl::Status Remember() {
    const Current now{.path = CurrentFilePath(context_.getenv()),
                      .master = result_.master,
                      .token_file = layout_.token("admin"),
                      .data_dir = layout_.data()};
    if (now.path.empty()) {
      context_.Warn(StrCat("HOME is not set: commands need --master ",
                           now.master,
                           " --token-file ",
                           now.token_file));
      return absl::OkStatus();
    }
    const absl::StatusOr<Current> before = ReadCurrent(context_.getenv());
    if (before.ok() && !before->data_dir.empty() && before->data_dir != now.data_dir) {
      context_.Note(
          StrCat("commands now go to this cluster; before, to that of ", before->data_dir));
    }
    const bool same = before.ok() && before->master == now.master &&
                      before->token_file == now.token_file && before->data_dir == now.data_dir;
    if (!same) DET_RETURN_IF_ERROR(WriteCurrent(now));
    DET_RETURN_IF_ERROR(NameContext());
    const std::string named = context_.getenv()("DET_MASTER").value_or("");
    if (!named.empty() && named != now.master) {
      context_.Warn(
          StrCat("DET_MASTER is set, so commands go to ", named, ", not to this cluster"));
    }
    return absl::OkStatus();
  }

  Context& context_;
  const UpOptions& options_;
  const Layout layout_;
  Settings settings_;
  StartedDaemon master_;
  MasterReady ready_;
  agent::AgentConfig agent_;
  LocalCluster result_;
};

}  // namespace

absl::StatusOr<LocalCluster> Up(Context& context, const UpOptions& options) {
  DET_RETURN_IF_ERROR(CheckOptions(options));
  DET_ASSIGN_OR_RETURN(Layout layout, FindLayout(options.data_dir, context.getenv()));
  absl::StatusOr<LocalCluster> cluster = Starter(context, options, std::move(layout)).Run();
  if (!cluster.ok()) return ExplainPlace(cluster.status());
  return cluster;
}

}  // namespace det::cli
