// How fast a master serves: on an empty folder, and with much to take up again.
#include "bench/base/cluster.h"
#include "bench/base/engine_rig.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/process.h"
#include "common/pg/private_server.h"
#include "master/testing/commands.h"

namespace det::bench {
namespace {

constexpr double kColdGoalSeconds = 0.5;
constexpr double kRestoreGoalSeconds = 2;

// What the same PostgreSQL takes to make its files and to answer, without a master.
absl::StatusOr<double> DatabaseSeconds() {
  TmpDir dir;
  const absl::Duration begun = SteadyNow();
  DET_ASSIGN_OR_RETURN(const auto server,
                       pg::PrivateServer::Start({.directory = dir / "postgres"}));
  return absl::ToDoubleSeconds(SteadyNow() - begun);
}

absl::StatusOr<double> MasterSeconds(const Settings& settings) {
  Cluster cluster(settings);
  DET_ASSIGN_OR_RETURN(const absl::Duration took, cluster.StartMaster());
  return absl::ToDoubleSeconds(took);
}

}  // namespace

Rows ColdStart(const Settings& settings) {
  std::vector<double> floor;
  std::vector<double> product;
  for (int round = 0; round < settings.rounds(); ++round) {
    DET_ASSIGN_OR_RETURN(const double database, DatabaseSeconds());
    DET_ASSIGN_OR_RETURN(const double master, MasterSeconds(settings));
    floor.push_back(database);
    product.push_back(master);
  }
  return std::vector<Row>{
      {.name = "cold_start",
       .value = Median(product),
       .unit = "s",
       .floor = Median(floor),
       .goal = {Goal::Kind::kBeyondAtMost, kColdGoalSeconds},
       .note = "fork of det-master to serving, against initdb and the server's start alone"}};
}

Rows RestoreTenThousand(const Settings& settings) {
  const int running = settings.Size(1000, 10);
  const int queued = settings.Size(10000, 20);
  Cluster cluster(settings);
  {
    DET_ASSIGN_OR_RETURN(const auto rig, EngineRig::Start(cluster.data_dir() + "/postgres"));
    DET_RETURN_IF_ERROR(rig->FillCluster({.agents = running / 10,
                                          .slots_each = 10,
                                          .experiments = (running + queued) / 10,
                                          .trials_each = 10}));
  }
  std::vector<double> product;
  for (int round = 0; round < settings.rounds(); ++round) {
    DET_ASSIGN_OR_RETURN(const absl::Duration took, cluster.StartMaster());
    product.push_back(absl::ToDoubleSeconds(took));
    cluster.StopMaster(/*kill=*/round % 2 == 0);
  }
  std::vector<double> floor;
  for (int round = 0; round < settings.rounds(); ++round) {
    const absl::Duration begun = SteadyNow();
    DET_ASSIGN_OR_RETURN(const auto server,
                         pg::PrivateServer::Start({.directory = cluster.data_dir() + "/postgres"}));
    floor.push_back(absl::ToDoubleSeconds(SteadyNow() - begun));
  }
  return std::vector<Row>{
      {.name = "restore_10k",
       .value = Median(product),
       .unit = "s",
       .floor = Median(floor),
       .goal = {Goal::Kind::kAtMost, kRestoreGoalSeconds},
       .note = StrCat("fork of det-master to serving with ",
                      queued,
                      " trials queued and ",
                      running,
                      " running, after SIGKILL and after SIGTERM in turn; floor: PostgreSQL's "
                      "start alone")}};
}

}  // namespace det::bench
