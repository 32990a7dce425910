#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "master/core/event.h"

namespace det::journal {

// Events as det.journal.v1.Record, the only durable form. Decoding never trusts its input.
std::string EncodeEvent(const core::Event& event);
absl::StatusOr<core::Event> DecodeEvent(std::string_view bytes);

}  // namespace det::journal
