#pragma once

#include "bench/base/benchmark.h"
#include "bench/base/cluster.h"

// One function a benchmark; registry.cc names them.
namespace det::bench {

Rows AgentsTenThousand(const Settings& settings);
Rows AshaTenThousand(const Settings& settings);
Rows CliHelp(const Settings& settings);
Rows CliList(const Settings& settings);
Rows ColdStart(const Settings& settings);
Rows FollowDelay(const Settings& settings);
Rows IngestLogLines(const Settings& settings);
Rows IngestMetricRows(const Settings& settings);
Rows IngestReport(const Settings& settings);
Rows LaunchProcess(const Settings& settings);
Rows ListHundredThousand(const Settings& settings);
Rows PlaceDurable(const Settings& settings);
Rows PlaceMemory(const Settings& settings);
Rows RestoreTenThousand(const Settings& settings);
Rows RssAgent(const Settings& settings);
Rows RssMaster(const Settings& settings);

// What a trial that prints as fast as it can costs; part of IngestLogLines.
Rows LogFlood(const Settings& settings);

// Until so many agents are connected.
absl::Status AwaitAgents(const Cluster& cluster, int64_t count);

}  // namespace det::bench
