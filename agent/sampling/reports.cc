#include "agent/sampling/reports.h"

#include "common/base/value.h"

namespace det::agent {
namespace {

v1::Report ReportOf(const Sampler::Point& point, const std::string& group, const Value& values) {
  v1::Report report;
  report.set_at_unix_nanos(absl::ToUnixNanos(point.at));
  report.mutable_metrics()->set_group(group);
  report.mutable_metrics()->set_steps_completed(point.seconds);
  report.mutable_metrics()->set_metrics_json(values.ToJson());
  return report;
}

}  // namespace

std::vector<v1::Report> ToReports(const Sampler::Point& point) {
  Value cpu;
  cpu["cpu_util_simple"] = point.cpu_util_simple;
  cpu["task_cpu_percent"] = point.task_cpu_percent;
  Value memory;
  memory["memory_free"] = point.memory_free;
  memory["task_memory_bytes"] = point.task_memory_bytes;
  Value disk;
  disk["disk_iops"] = point.disk_iops;
  disk["disk_throughput_read"] = point.disk_throughput_read;
  disk["disk_throughput_write"] = point.disk_throughput_write;
  return {ReportOf(point, "cpu", cpu),
          ReportOf(point, "memory", memory),
          ReportOf(point, "disk", disk)};
}

}  // namespace det::agent
