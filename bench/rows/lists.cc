// Pages and lists over a store that has grown large.
#include "bench/base/cluster.h"
#include "bench/base/open_loop.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"
#include "det/api/v1/experiment.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/os/process.h"
#include "common/pg/pg.h"
#include "common/rng/counter_rng.h"

namespace det::bench {
namespace {

namespace api = ::det::api::v1;

constexpr double kPagesGoalMs = 20;
constexpr double kSortsGoalMs = 250;
constexpr int kTrialsEach = 10;
constexpr int kPage = 50;

std::string ExperimentsSql(int64_t count) {
  return StrCat(
      "INSERT INTO experiments (id, name, owner, state, reason_code, reason_text, reason_actor, "
      "reason_since, context, searcher, metric, smaller_is_better, pool, priority, progress, "
      "trials_created, trials_closed, best_trial, best_metric, best_steps, created_at, ended_at) "
      "SELECT i, 'experiment ' || i, CASE WHEN i % 10 = 0 THEN 'admin' ELSE 'user-' || i % 25 END, "
      "(ARRAY['COMPLETED', 'CANCELED', 'ERROR'])[1 + i % 3], 'DONE', 'its search is done', "
      "'searcher', now(), '', 'adaptive_asha', 'loss', true, 'default', 42, 1, ",
      kTrialsEach,
      ", ",
      kTrialsEach,
      ", i * ",
      kTrialsEach,
      ", (i * 7919 % 10007) / 10007.0, 100, now() - (",
      count,
      " - i) * interval '1 minute', now() FROM generate_series(1::bigint, ",
      count,
      ") AS i");
}

std::string SubmissionsSql(int64_t count) {
  return StrCat(
      "INSERT INTO submissions (experiment_id, config, config_text) SELECT i, jsonb_build_object("
      "'name', 'experiment ' || i, 'entrypoint', 'python3 train.py', 'searcher', "
      "jsonb_build_object('name', 'adaptive_asha', 'metric', 'loss'), 'description', "
      "repeat('x', 1000)), '' FROM generate_series(1::bigint, ",
      count,
      ") AS i");
}

std::string TrialsSql(int64_t count) {
  return StrCat(
      "INSERT INTO trials (id, experiment_id, bracket, index_in_bracket, hparams, seed, state, "
      "reason_code, reason_text, reason_actor, reason_since, restarts, infrastructure_restarts, "
      "runs, best_metric, latest_metric, latest_steps, created_at, ended_at) SELECT i, "
      "1 + (i - 1) / ",
      kTrialsEach,
      ", 0, i % ",
      kTrialsEach,
      ", jsonb_build_object('lr', (i * 104729 % 1000003) / 1000003.0, 'batch_size', 32 << (i % "
      "4)::int, 'optimizer', jsonb_build_object('name', 'adam')), i % 4294967296, 'COMPLETED', "
      "'DONE', 'it is done', 'agent:a', now(), 0, 0, 1, (i * 7919 % 10007) / 10007.0, 0.5, 100, "
      "now(), now() FROM generate_series(1::bigint, ",
      count,
      ") AS i");
}

// As a cluster leaves them that has ended so many searches.
absl::Status FillStore(const std::string& conninfo, int64_t experiments) {
  return pg::Connection(conninfo).Run([&](pqxx::connection& c) {
    pqxx::nontransaction tx(c);
    tx.exec(TrialsSql(experiments * kTrialsEach));
    tx.exec(ExperimentsSql(experiments));
    tx.exec(SubmissionsSql(experiments));
    tx.exec("VACUUM ANALYZE experiments");
    tx.exec("VACUUM ANALYZE submissions");
    tx.exec("VACUUM ANALYZE trials");
  });
}

struct Client {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<api::ExperimentService::Stub> experiments;
  std::unique_ptr<api::TrialService::Stub> trials;
};

std::vector<Client> Connect(const Cluster& cluster, int count) {
  std::vector<Client> clients(static_cast<size_t>(count));
  for (Client& client : clients) {
    client.channel = cluster.Channel();
    client.experiments = api::ExperimentService::NewStub(client.channel);
    client.trials = api::TrialService::NewStub(client.channel);
  }
  return clients;
}

// Half of them a page of experiments from somewhere, the rest an owner's own, one experiment, and
// an experiment's trials from the best on.
absl::Status Ask(const Cluster& cluster, const Client& client, int64_t number, int64_t experiment) {
  const auto context = cluster.Context();
  if (number % 6 < 4) {
    api::ListExperimentsRequest request;
    request.set_limit(kPage);
    request.set_before_id(experiment);
    request.set_only_mine(number % 6 == 3);
    api::ListExperimentsResponse response;
    return net::FromGrpc(client.experiments->ListExperiments(context.get(), request, &response));
  }
  if (number % 6 == 4) {
    api::GetExperimentRequest request;
    request.set_id(experiment);
    api::GetExperimentResponse response;
    return net::FromGrpc(client.experiments->GetExperiment(context.get(), request, &response));
  }
  api::ListTrialsRequest request;
  request.set_experiment(experiment);
  request.set_order(api::ListTrialsRequest::ORDER_BY_BEST);
  request.set_limit(kPage);
  api::ListTrialsResponse response;
  return net::FromGrpc(client.trials->ListTrials(context.get(), request, &response));
}

// What the pages cost PostgreSQL alone: one after the other.
absl::StatusOr<double> PageFloorMs(const std::string& conninfo, int64_t experiments, int count) {
  LatencyHistogram latencies;
  pg::Connection connection(conninfo);
  for (int i = 0; i < count; ++i) {
    const int64_t before = 1 + i * 7919 % experiments;
    const absl::Duration begun = SteadyNow();
    DET_RETURN_IF_ERROR(connection.Transact([&](pqxx::work& tx) {
      tx.exec_params(
          "SELECT * FROM experiments WHERE id < $1 ORDER BY id DESC LIMIT $2", before, kPage);
    }));
    latencies.Add(SteadyNow() - begun);
  }
  return latencies.PercentileMs(0.95);
}

// The first page of all experiments by their best trial's learning rate: one after the other.
absl::StatusOr<double> SortMs(const Cluster& cluster, const Client& client, int count) {
  LatencyHistogram latencies;
  for (int i = 0; i < count; ++i) {
    const auto context = cluster.Context();
    api::ListExperimentsRequest request;
    request.set_limit(kPage);
    request.add_sort(i % 2 == 0 ? "hparams.lr" : "hparams.lr:desc");
    api::ListExperimentsResponse response;
    const absl::Duration begun = SteadyNow();
    DET_RETURN_IF_ERROR(
        net::FromGrpc(client.experiments->ListExperiments(context.get(), request, &response)));
    latencies.Add(SteadyNow() - begun);
  }
  return latencies.PercentileMs(0.95);
}

// The same of PostgreSQL alone, over what trials say.
absl::StatusOr<double> SortFloorMs(const std::string& conninfo, int count) {
  LatencyHistogram latencies;
  pg::Connection connection(conninfo);
  for (int i = 0; i < count; ++i) {
    const absl::Duration begun = SteadyNow();
    DET_RETURN_IF_ERROR(connection.Transact([&](pqxx::work& tx) {
      tx.exec_params(
          "SELECT e.* FROM experiments e LEFT JOIN trials t ON t.id = e.best_trial "
          "ORDER BY (t.hparams #>> '{lr}')::double precision, e.id LIMIT $1",
          kPage);
    }));
    latencies.Add(SteadyNow() - begun);
  }
  return latencies.PercentileMs(0.95);
}

}  // namespace

Rows ListHundredThousand(const Settings& settings) {
  const auto experiments = settings.Size<int64_t>(100000, 200);
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  DET_ASSIGN_OR_RETURN(const std::string conninfo, cluster->Conninfo());
  DET_RETURN_IF_ERROR(FillStore(conninfo, experiments));
  const OpenLoop load{.duration = settings.Size(absl::Seconds(30), absl::Milliseconds(300))};
  const std::vector<Client> clients = Connect(*cluster, load.connections);
  for (const Client& client : clients) DET_RETURN_IF_ERROR(Ask(*cluster, client, 0, 2));
  LatencyHistogram pages;
  DET_RETURN_IF_ERROR(RunOpenLoop(load, [&](int connection, int64_t number, absl::Duration due) {
    const int64_t experiment = 2 + number * 104729 % (experiments - 1);
    const absl::Status status =
        Ask(*cluster, clients[static_cast<size_t>(connection)], number, experiment);
    pages.Add(SteadyNow() - due);
    return status;
  }));
  DET_ASSIGN_OR_RETURN(const double page_floor,
                       PageFloorMs(conninfo, experiments, settings.Size(200, 5)));
  DET_ASSIGN_OR_RETURN(const double sorts, SortMs(*cluster, clients[0], settings.Size(40, 2)));
  DET_ASSIGN_OR_RETURN(const double sort_floor, SortFloorMs(conninfo, settings.Size(10, 2)));
  const std::string size =
      StrCat(experiments, " experiments, ", experiments * kTrialsEach, " trials");
  return std::vector<Row>{
      {.name = "list_100k.pages_p95",
       .value = pages.PercentileMs(0.95),
       .unit = "ms",
       .floor = page_floor,
       .goal = {Goal::Kind::kAtMost, kPagesGoalMs},
       .note = StrCat(size,
                      "; 100 requests/s over 25 connections: pages, an owner's own, one, its "
                      "trials; p50 ",
                      pages.PercentileMs(0.5),
                      ", p99 ",
                      pages.PercentileMs(0.99),
                      " ms")},
      {.name = "list_100k.sorts_p95",
       .value = sorts,
       .unit = "ms",
       .floor = sort_floor,
       .goal = {Goal::Kind::kAtMost, kSortsGoalMs},
       .note = StrCat(size,
                      "; the first page by the best trial's learning rate, up and down, one after "
                      "the other; floor: PostgreSQL alone, from the trials' own rows")}};
}

}  // namespace det::bench
