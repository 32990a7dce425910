#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "cli/client/api_fwd.h"
#include "cli/format/report.h"

namespace det::cli {

struct LogFormat {
  Format format = Format::kTable;  // any but kName; kTable: the lines as the program printed them
  std::string text = {};           // of kTemplate, which is known to be well formed
  bool header = true;              // of CSV and TSV
  bool name_trials = false;        // "t17 | " before each line
  bool timestamps = false;
  Terminal terminal;
};

// Turns records of logs into what is printed. Lines go to a pipe as the bytes that they are; on a
// terminal controls are escaped. A line that comes in parts is put together again.
class LogWriter {
 public:
  explicit LogWriter(LogFormat format) : format_(format) {}

  std::string Header() const;
  std::string Write(const api::LogLine& line);
  // Ends a line that its program never ended.
  std::string Finish();

 private:
  using Origin = std::tuple<int64_t, int64_t, int32_t, std::string>;  // trial, run, rank, source

  std::string WriteText(const api::LogLine& line);
  std::string Prefix(const api::LogLine& line) const;
  std::string ForTerminal(std::string text) const;

  const LogFormat format_;
  bool open_ = false;  // the last record has not ended its line
  Origin origin_;      // of that record
};

}  // namespace det::cli
