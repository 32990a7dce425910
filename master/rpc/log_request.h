#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "det/api/v1/log.pb.h"

#include "master/store/log_scan.h"

// What the calls about logs have in common.
namespace det::rpc {

// INVALID_ARGUMENT: INVALID_PATTERN with the fault's place, UNKNOWN_SOURCE or UNKNOWN_LEVEL with
// the names there are, INVALID_RANGE.
absl::StatusOr<store::LogFilter> FromProto(const api::v1::LogFilter& filter);

void ToProto(const store::TrialLog& log, const store::LogRow& row, api::v1::LogLine* line);

// A position as a token that callers hand back. INVALID_ARGUMENT (INVALID_TOKEN).
std::string TokenOf(const store::LogPosition& position);
absl::StatusOr<store::LogPosition> PositionOf(std::string_view token);

}  // namespace det::rpc
