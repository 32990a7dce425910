#include "master/rpc/live_list.h"

#include <charconv>

namespace det::rpc {
namespace {

namespace pb = det::api::v1;
using filter::Datum;
using filter::Type;

Datum Text(const std::string& text) {
  return text.empty() ? Datum() : Datum(text);
}

int64_t FreeSlots(const pb::Agent& agent) {
  return std::count_if(agent.slots().begin(), agent.slots().end(), [](const pb::Slot& slot) {
    return slot.trial() == 0;
  });
}

Datum OfAgent(const pb::Agent& agent, std::string_view field) {
  if (field == "id") return agent.id();
  if (field == "state") return agent.state();
  if (field == "pool") return agent.pool();
  if (field == "version") return Text(agent.version());
  if (field == "address") return Text(agent.address());
  if (field == "slots") return int64_t{agent.slots_size()};
  if (field == "slots_free") return FreeSlots(agent);
  if (field == "since") return absl::FromUnixNanos(agent.since_unix_nanos());
  return {};
}

Datum OfJob(const pb::Job& job, std::string_view field) {
  if (field == "experiment") return int64_t{job.experiment()};
  if (field == "name") return Text(job.name());
  if (field == "owner") return job.owner();
  if (field == "pool") return job.pool();
  if (field == "state") return job.state();
  if (field == "priority") return int64_t{job.priority()};
  if (field == "slots_held") return int64_t{job.slots_held()};
  if (field == "slots_waiting") return int64_t{job.slots_waiting()};
  if (field == "submitted") return absl::FromUnixNanos(job.submitted_unix_nanos());
  return {};
}

}  // namespace

const LiveFields<pb::Agent>& AgentFields() {
  static const auto* const fields = new LiveFields<pb::Agent>{
      {"an agent",
       {{.name = "id"},
        {.name = "state", .choices = {"CONNECTED", "DRAINING", "DISABLED", "AWAY", "LOST"}},
        {.name = "pool"},
        {.name = "version"},
        {.name = "address"},
        {.name = "slots", .type = Type::kInteger},
        {.name = "slots_free", .type = Type::kInteger},
        {.name = "since", .type = Type::kTime}}},
      OfAgent};
  return *fields;
}

const LiveFields<pb::Job>& JobFields() {
  static const auto* const fields =
      new LiveFields<pb::Job>{{"a job",
                               {{.name = "experiment", .type = Type::kInteger},
                                {.name = "name"},
                                {.name = "owner"},
                                {.name = "pool"},
                                {.name = "state"},
                                {.name = "priority", .type = Type::kInteger},
                                {.name = "slots_held", .type = Type::kInteger},
                                {.name = "slots_waiting", .type = Type::kInteger},
                                {.name = "submitted", .type = Type::kTime}}},
                              OfJob};
  return *fields;
}

absl::StatusOr<size_t> OffsetOf(const std::string& page) {
  size_t offset = 0;
  if (page.empty()) return offset;
  const char* end = page.data() + page.size();
  const auto read = std::from_chars(page.data() + 1, end, offset);
  if (page[0] == 'o' && read.ec == std::errc() && read.ptr == end) return offset;
  return Error(absl::StatusCode::kInvalidArgument,
               "BAD_PAGE",
               "there is no such page of this list",
               "begin again, with the same filter and sort for all pages");
}

}  // namespace det::rpc
