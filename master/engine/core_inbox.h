#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

#include "master/core/command.h"
#include "master/core/event.h"
#include "master/engine/output_gate.h"

namespace det::engine {

// Where commands for the core are left. Nobody hears an answer before its cause is durable.
class CoreInbox {
 public:
  // Called once; must not block.
  using Reply = absl::AnyInvocable<void(absl::StatusOr<core::Events>)>;

  virtual ~CoreInbox() = default;

  // When there is no room the reply is RESOURCE_EXHAUSTED, before this returns; when the core ends
  // before the answer, or can't go on, kUnavailable.
  virtual void Post(core::Command command, Reply reply) = 0;

  // `then` runs when all that was posted before is decided and durable; never when the status is
  // an error, which are those of Post's reply.
  virtual absl::Status Follow(OutputGate::Output then) = 0;
};

// The command did not reach the core, and may be posted again. Any other refusal is the core's own
// answer: posted again it would be the same.
inline bool WasUnheard(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

}  // namespace det::engine
