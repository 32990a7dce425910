#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "master/engine/core_inbox.h"
#include "master/ingest/shipment.h"

namespace det::ingest {

// The connection that a shipment came by. Any thread; must not block.
class Sender {
 public:
  virtual ~Sender() = default;

  // Everything of the stream up to `seq` is durable. The largest counts: an older one may come
  // later.
  virtual void OnDurable(const StreamKey& stream, int64_t seq) = 0;
  // There is room again for the shipment that was not taken.
  virtual void OnRoom() = 0;

  // Something did not reach the core and has to be sent again, on a new connection. What came after
  // it on this one counts for nothing: the core can't see a gap in a stream, as it does not hear of
  // every record.
  void Refuse(const absl::Status& why) {
    refused_.store(true);
    OnRefused(why);
  }
  bool refused() const { return refused_.load(); }

 protected:
  // More than once, perhaps.
  virtual void OnRefused(const absl::Status& why) = 0;

 private:
  std::atomic<bool> refused_{false};
};

// A shipment that is in the store.
struct StoredShipment {
  std::shared_ptr<Sender> sender;
  Shipment shipment;
  Stored stored;
  std::vector<core::ReportLogMatch> matches;  // of its log lines
  bool follows_matches = false;               // of its stream, perhaps not durable yet
};

// Posts what the core must hear of the shipments, in their order, and has each acknowledged when
// all of that is durable. Also what the core does not hear of is acknowledged only then:
// acknowledging a record means all of its stream before it. Of one stream always by one thread.
// `unheard` is called, on any thread, with a match that the core did not hear of.
using Unheard = std::function<void(const core::ReportLogMatch&)>;
void TakeIn(engine::CoreInbox& core,
            const std::vector<StoredShipment>& shipments,
            const Unheard& unheard = nullptr);

// How many commands TakeIn posts, at most.
int64_t CommandsOf(const StoredShipment& stored);

}  // namespace det::ingest
