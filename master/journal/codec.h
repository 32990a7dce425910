#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "master/core/command.h"
#include "master/core/event.h"

namespace det::journal {

// Events as det.journal.v1.Record, the only durable form. Decoding never trusts its input.
std::string EncodeEvent(const core::Event& event);
absl::StatusOr<core::Event> DecodeEvent(std::string_view bytes);

// What the store keeps of an ended experiment and trial, so that they can be continued. The same
// form as the journal's: readable for ever.
std::string EncodeEnded(const core::Experiment& experiment);
std::string EncodeEnded(const core::Trial& trial, int64_t runs);
absl::StatusOr<core::Experiment> DecodeEndedExperiment(std::string_view bytes);
absl::StatusOr<core::EndedTrial> DecodeEndedTrial(std::string_view bytes);

}  // namespace det::journal
