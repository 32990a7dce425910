#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace det {

// The command line of a daemon: "--name value" or "--name=value", and switches that stand alone.
// For daemons' few flags; the CLI has its own. kInvalidArgument names what is unknown or lacks its
// value.
struct Flags {
  std::map<std::string, std::string> values;

  bool Has(const std::string& name) const { return values.contains(name); }
  std::string Get(const std::string& name) const {
    const auto it = values.find(name);
    return it == values.end() ? "" : it->second;
  }
};

// A flag for the usage of a daemon: "config FILE", "what it is".
struct FlagHelp {
  std::string flag;
  std::string what;
};

// What "--help" prints: `head` ("det-agent: runs tasks ..."), the flags, then `tail`.
std::string FlagUsage(const std::string& head,
                      const std::vector<FlagHelp>& flags,
                      const std::string& tail);

absl::StatusOr<Flags> ParseFlags(int argc,
                                 char** argv,
                                 const std::vector<std::string>& valued,
                                 const std::vector<std::string>& switches);

}  // namespace det
