#pragma once

#include "absl/status/statusor.h"

#include "cli/app/command.h"
#include "cli/app/environment.h"
#include "cli/app/options.h"

namespace det::cli {

// Whether the command shows how something is, and --watch may show it again and again.
bool IsWatchable(const Command& command);

// Runs the command every `options.watch` until Ctrl-C: at a terminal what it prints is drawn in
// place, else it is appended, an empty line between, whenever it has changed. A master that is away
// is waited for, once the command has worked.
absl::StatusOr<ExitCode> Watch(const Command& command,
                               const Environment& environment,
                               GlobalOptions options);

}  // namespace det::cli
