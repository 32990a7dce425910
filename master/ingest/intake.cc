#include "master/ingest/intake.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace det::ingest {
namespace {

struct Ack {
  std::shared_ptr<Sender> sender;
  StreamKey stream;
  int64_t seq = 0;
};

void Tell(const Ack& ack) {
  if (!ack.sender->refused()) ack.sender->OnDurable(ack.stream, ack.seq);
}

bool IsStored(const Report& report, const Stored& stored) {
  return stored.ended || report.id.seq <= stored.high;
}

void PostOne(engine::CoreInbox& core, core::Command command, std::shared_ptr<Sender> sender) {
  core.Post(std::move(command),
            [sender = std::move(sender)](const absl::StatusOr<core::Events>& result) {
              if (engine::WasUnheard(result.status())) sender->Refuse(result.status());
            });
}

// The last record that may be acknowledged, or 0.
int64_t PostReports(engine::CoreInbox& core, const StoredShipment& item) {
  int64_t last = 0;
  for (const Report& report : item.shipment.reports) {
    if (!IsStored(report, item.stored)) break;
    const bool over = item.stored.ended;
    std::optional<core::Command> command =
        over ? std::nullopt : CommandFor(item.shipment.agent, report);
    if (command.has_value()) PostOne(core, *std::move(command), item.sender);
    if (item.sender->refused()) return 0;
    last = std::max(last, report.id.seq);
  }
  return last;
}

// The last record that may be acknowledged, or 0. The core hears of few logs, and what it hears of
// one it must know for good before the line counts as taken.
int64_t PostMatches(engine::CoreInbox& core, const StoredShipment& item, const Unheard& unheard) {
  int64_t last = 0;
  for (const LogRecord& record : item.shipment.logs) last = std::max(last, record.seq);
  for (const core::ReportLogMatch& match : item.matches) {
    core::Command command{{core::Role::kAgent, item.shipment.agent.value()}, match};
    core.Post(std::move(command),
              [sender = item.sender, match, unheard](const absl::StatusOr<core::Events>& result) {
                if (!engine::WasUnheard(result.status())) return;
                if (unheard) unheard(match);
                sender->Refuse(result.status());
              });
  }
  return item.sender->refused() ? 0 : last;
}

}  // namespace

int64_t CommandsOf(const StoredShipment& stored) {
  return static_cast<int64_t>(stored.shipment.reports.size() + stored.matches.size());
}

void TakeIn(engine::CoreInbox& core,
            const std::vector<StoredShipment>& shipments,
            const Unheard& unheard) {
  std::vector<Ack> behind;
  for (const StoredShipment& item : shipments) {
    if (item.sender->refused()) continue;
    const int64_t decided = PostReports(core, item);
    if (decided > 0) behind.push_back({item.sender, item.shipment.key(), decided});
    const int64_t logged = PostMatches(core, item, unheard);
    if (logged == 0) continue;
    const Ack ack{item.sender, item.shipment.key(), logged};
    if (!item.follows_matches) {
      Tell(ack);
    } else {
      behind.push_back(ack);
    }
  }
  if (behind.empty()) return;
  const absl::Status queued = core.Follow([behind] {
    for (const Ack& ack : behind) Tell(ack);
  });
  if (queued.ok()) return;
  for (const Ack& ack : behind) ack.sender->Refuse(queued);
}

}  // namespace det::ingest
