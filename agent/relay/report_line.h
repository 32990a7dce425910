#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "det/agent/v1/agent.pb.h"
#include "det/trial/v1/trial.pb.h"

namespace det::agent {

// The reports in a line of standard output (docs/trial-contract.md), at most kReportsPerLineMax;
// none when it is only a line. One that begins as a report and can't be read gives one
// `unreadable`. NaN, Infinity and -Infinity may stand bare, as Python prints them. `number` is the
// line's place in the log: it stands for the steps of reports that don't give theirs, so that a
// line read twice says the same.
inline constexpr int64_t kReportsPerLineMax = 64;
std::vector<v1::Report> ReadReportLine(std::string_view line, int64_t number);

// Of a line that is longer than this only the beginning is looked at: one `unreadable` where it
// begins as a report.
inline constexpr size_t kReportLineBytesMax = 1 << 20;
std::vector<v1::Report> ReadTooLongLine(std::string_view begin, int64_t number);

// Checks what a program sends to the relay, with texts for the program's author, and gives it the
// form that goes to the master.
absl::StatusOr<v1::Report> ToReport(const trial::v1::ReportRequest& request);

}  // namespace det::agent
