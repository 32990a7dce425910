#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/app/command.h"
#include "cli/app/environment.h"
#include "cli/format/report.h"

namespace det::cli {

// The options that every command takes, as words.
struct GlobalWords {
  bool help = false;
  bool version = false;
  bool quiet = false;
  bool verbose = false;
  bool no_progress = false;
  bool no_headers = false;
  bool plaintext = false;
  std::string output = "table";
  std::string color = "auto";
  std::string timeout;
  std::string master;
  std::string token_file;
  std::string columns;
  std::string sort;
  std::string watch;
  std::string context;
  bool no_pager = false;
  bool json = false;  // synonyms of -o
  bool yaml = false;
  bool csv = false;
};

// The same, understood.
struct GlobalOptions {
  bool quiet = false;
  bool verbose = false;
  bool no_progress = false;
  bool no_pager = false;
  std::optional<absl::Duration> watch;  // print anew that often
  Format format = Format::kTable;
  std::string text;  // of Format::kTemplate
  ColorMode color = ColorMode::kAuto;
  std::optional<absl::Duration> timeout;
  TableOptions table;
  ConnectionFlags connection;
};

// The parameters that fill `words`, for the parser and the help.
std::vector<Param> GlobalParams(GlobalWords* words);

// Errors: INVALID_ARGUMENT (reason USAGE).
absl::StatusOr<GlobalOptions> Understand(const GlobalWords& words);

// "90" (seconds), "30s", "5m", "2h": a value of `option` above zero.
absl::StatusOr<absl::Duration> ParseTime(std::string_view option, const std::string& text);

}  // namespace det::cli
