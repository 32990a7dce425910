#include "bench/rows/rows.h"

namespace det::bench {

const std::vector<Benchmark>& Benchmarks() {
  static const std::vector<Benchmark> all = {
      {"ingest_metric_rows", IngestMetricRows},
      {"ingest_report_p50", IngestReport},
      {"ingest_log_lines", IngestLogLines},
      {"follow_delay", FollowDelay},
      {"place_memory", PlaceMemory},
      {"place_durable", PlaceDurable},
      {"asha_10k", AshaTenThousand},
      {"agents_10k", AgentsTenThousand},
      {"list_100k", ListHundredThousand},
      {"cold_start", ColdStart},
      {"restore_10k", RestoreTenThousand},
      {"cli_help", CliHelp},
      {"cli_list", CliList},
      {"launch_process", LaunchProcess},
      {"rss_master", RssMaster},
      {"rss_agent", RssAgent},
  };
  return all;
}

}  // namespace det::bench
