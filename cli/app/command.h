#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/exit_code.h"

namespace det::cli {

class Context;

// Where the words of the command line go. A target keeps its value when the line does not name it.
using Target = std::variant<bool*,
                            std::string*,
                            std::vector<std::string>*,
                            std::optional<int64_t>*,
                            std::optional<double>*>;

// An option or an argument of a command.
struct Param {
  std::string names;        // "-f,--follow"; "ID" for an argument
  std::string placeholder;  // of an option's value: "N"; empty for a flag
  Target target;
  std::string help;
  std::vector<std::string> choices = {};  // the only values there are; empty: any
  bool required = false;                  // of arguments
  std::string implied = {};  // of an option without its value: --watch; empty: it needs one
  std::vector<std::string> suggestions = {};  // for completion, where any value may stand
  bool hidden = false;                        // a synonym that the help leaves out
  std::string instead = {};  // of an option that there is not: what to do in its place

  bool is_argument() const { return !names.starts_with('-'); }
  bool takes_value() const { return !std::holds_alternative<bool*>(target); }
  bool repeats() const { return std::holds_alternative<std::vector<std::string>*>(target); }
};

inline Param Flag(std::string names, bool* target, std::string help) {
  return {std::move(names), "", target, std::move(help)};
}
inline Param Option(std::string names, std::string placeholder, Target target, std::string help) {
  return {std::move(names), std::move(placeholder), target, std::move(help)};
}
inline Param Required(std::string name, Target target, std::string help) {
  return {std::move(name), "", target, std::move(help), {}, true};
}
inline Param Optional(std::string name, Target target, std::string help) {
  return {std::move(name), "", target, std::move(help)};
}

struct Example {
  std::string command;
  std::string does;
};

// A synonym of an option, for those who are used to it from elsewhere.
inline Param Hidden(Param param) {
  param.hidden = true;
  return param;
}
// What Determined has and det has not: whoever gives it is told what to do instead.
Param NoFlag(std::string names, std::string instead);
Param NoOption(std::string names, std::string instead);

// One verb. Its file in cli/cmd makes it; cli/cmd/commands.cc lists them all.
struct Command {
  std::string noun;                  // "experiment"; empty for a verb that needs none
  std::string verb;                  // "list"
  std::vector<std::string> aliases;  // "ls"
  std::string summary;               // one line, for lists of commands
  std::string details = {};          // what else there is to say; may be empty
  std::vector<Param> params = {};
  std::vector<Example> examples = {};  // at least one
  // Reads the targets of `params`, which it owns. An error is printed and becomes an exit code.
  std::function<absl::StatusOr<ExitCode>(Context&)> run;

  std::string FullName() const { return noun.empty() ? verb : noun + " " + verb; }
};

struct Noun {
  std::string name;
  std::vector<std::string> aliases;
  std::string summary;
};

// Words of Determined's that name nothing here, and what does the same. They are never taken for
// the beginning of another word.
struct Elsewhere {
  std::string noun;                // of verbs; empty: the words are nouns
  std::vector<std::string> words;  // that mean the same
  std::string instead;
};

// Everything that `det` can do.
struct CommandSet {
  std::vector<Noun> nouns;
  std::vector<Command> commands;
  std::vector<Elsewhere> elsewhere = {};
};

}  // namespace det::cli
