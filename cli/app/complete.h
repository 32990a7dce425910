#pragma once

#include <string>
#include <vector>

#include "cli/app/command.h"
#include "cli/app/environment.h"

namespace det::cli {

// What may stand at the end of a command line, with what it is.
struct Completion {
  std::string value;
  std::string description;
};

// In place of a value: the shell completes names of files.
inline constexpr char kCompleteFiles[] = ":files";

// What `words` (without the program's name; the last is the one that is being written, and may be
// empty) can end in: things, verbs, options, their values, ids that the master knows. The master
// has 300 ms; whatever goes wrong, there is less to choose from and no word about it.
std::vector<Completion> Complete(const CommandSet& set,
                                 const std::vector<std::string>& words,
                                 const Environment& environment);

// The script that makes a shell, one of bash, zsh and fish, ask for completions.
std::string CompletionScript(const std::string& shell);

}  // namespace det::cli
