#include "master/ingest/report.h"

#include "common/base/overload.h"
#include "master/ingest/shipment.h"

namespace det::ingest {

std::optional<core::Command> CommandFor(const AgentId& agent, const Report& report) {
  using Body = std::optional<core::CommandBody>;
  Body body = std::visit(
      overloaded{
          [&](const Metrics& m) -> Body {
            if (m.group != "validation" || report.id.stream == kSampleStream) return std::nullopt;
            return core::ReportValidation{agent, report.id, m.steps_completed, m.values};
          },
          [&](const Checkpoint& c) -> Body {
            return core::ReportCheckpoint{
                agent, report.id, c.uuid, c.steps_completed, c.bytes, c.files, c.metadata};
          },
          [](const Progress&) -> Body { return std::nullopt; },
          [&](const InvalidHparams&) -> Body {
            return core::ReportInvalidHparams{agent, report.id};
          },
          [](const Unreadable&) -> Body { return std::nullopt; },
      },
      report.body);
  if (!body.has_value()) return std::nullopt;
  return core::Command{{core::Role::kAgent, agent.value()}, *std::move(body)};
}

}  // namespace det::ingest
