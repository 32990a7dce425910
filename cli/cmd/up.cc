#include "cli/cluster/up.h"

#include <memory>

#include "cli/app/context.h"
#include "cli/cmd/commands.h"
#include "cli/format/quantity.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/process.h"

namespace det::cli {
namespace {

std::string Seconds(absl::Duration duration) {
  const int64_t tenths = absl::ToInt64Milliseconds(duration + absl::Milliseconds(50)) / 100;
  return StrCat(tenths / 10, ".", tenths % 10, " s");
}

std::string Happened(bool started) {
  return started ? "started" : "ran already";
}

Report UpReport(const LocalCluster& c, absl::Duration took) {
  Report report;
  report.document.Add("master", c.master)
      .Add("http", c.http)
      .Add("cluster_id", c.cluster_id)
      .Add("version", c.version)
      .Add("agent", c.agent)
      .Add("slots", c.slots)
      .Add("data_dir", c.data_dir)
      .Add("master_started", c.master_started)
      .Add("agent_started", c.agent_started)
      .Add("seconds", absl::ToDoubleSeconds(took));
  report.table = {
      .columns = {{"master"}, {"http"}, {"agent"}, {"slots", Align::kRight}, {"data_dir"}},
      .rows = {{c.master, c.http, c.agent, c.slots, c.data_dir}},
      .key = "master"};
  const bool started = c.master_started || c.agent_started;
  report.sections.push_back(
      {"", StrCat("The cluster is up", started ? StrCat(", after ", Seconds(took)) : "", ".\n")});
  report.sections.push_back(
      {"",
       Fields{{"master", StrCat(c.master, " (", Happened(c.master_started), ")")},
              {"http", StrCat(c.http, "  /healthz /metrics")},
              {"agent",
               StrCat(c.agent, ", ", Count(c.slots, "slot"), " (", Happened(c.agent_started), ")")},
              {"data", StrCat(c.data_dir, "  master.log agent.log")},
              {"stop it", "det down"}}});
  return report;
}

absl::StatusOr<ExitCode> Run(Context& context, const UpOptions& options) {
  const absl::Duration begun = SteadyNow();
  DET_ASSIGN_OR_RETURN(const LocalCluster cluster, Up(context, options));
  DET_RETURN_IF_ERROR(context.Show(UpReport(cluster, SteadyNow() - begun)));
  return ExitCode::kOk;
}

}  // namespace

Command UpCommand() {
  const auto o = std::make_shared<UpOptions>();
  return {.verb = "up",
          .summary = "Start a cluster on this machine: a master, its database and an agent.",
          .details =
              "What runs already is left as it is; only what is missing is started. Options hold "
              "for later calls too. The configurations lie in the data directory; edit them, and "
              "det up leaves them alone.",
          .params = {Option("--data-dir",
                            "DIR",
                            &o->data_dir,
                            "where its data lies (root: /var/lib/det; else ~/.local/share/det)"),
                     Option("--slots", "N", &o->slots, "so many slots; else one for each core"),
                     Option("--grpc-port",
                            "PORT",
                            &o->grpc_port,
                            "for det and agents; else 8090 or a "
                            "free one"),
                     Option("--http-port",
                            "PORT",
                            &o->http_port,
                            "for /healthz and /metrics; else "
                            "8080 or a free one"),
                     Option("--db-url",
                            "URL",
                            &o->db_url,
                            "a PostgreSQL of yours: postgresql://...; else a private one")},
          .examples = {{"det up", "start what is not running yet"},
                       {"det up --slots 2", "with two slots"},
                       {"det up --data-dir /tmp/try", "a cluster to throw away"}},
          .run = [o](Context& context) { return Run(context, *o); }};
}

}  // namespace det::cli
