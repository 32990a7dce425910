#include "cli/app/run.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/app/complete.h"
#include "cli/app/context.h"
#include "cli/app/help.h"
#include "cli/app/options.h"
#include "cli/app/parser.h"
#include "cli/app/resolve.h"
#include "cli/app/watch.h"
#include "cli/base/cause.h"
#include "cli/format/escape.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// Longer lines are hard to read, shorter ones hold nothing.
int HelpWidth(const Output& output) {
  constexpr int kMin = 60;
  constexpr int kMax = 100;
  return std::clamp(output.size().width, kMin, kMax);
}

class Runner {
 public:
  Runner(const CommandSet& set, const Environment& environment)
      : set_(set), environment_(environment) {}

  absl::StatusOr<ExitCode> Run(std::vector<std::string> words) {
    if (!words.empty() && words[0] == "__complete") return PrintCompletions(std::move(words));
    // `det help experiment list` is `det experiment list --help`.
    bool help = words.empty() || words[0] == "help";
    if (help && !words.empty()) words.erase(words.begin());
    const auto end = std::find(words.begin(), words.end(), "--");
    help = help || std::any_of(words.begin(), end, [](const std::string& word) {
             return word == "-h" || word == "--help";
           });
    DET_ASSIGN_OR_RETURN(const Resolved resolved, Resolve(set_, GlobalParams(&words_), words));
    if (help) return PrintHelp(resolved);
    DET_RETURN_IF_ERROR(ParseWords(resolved.before, GlobalParams(&words_)));
    if (words_.help) return PrintHelp(resolved);
    if (const Command* version = Find("version"); words_.version && version != nullptr) {
      return RunCommand(*version);
    }
    if (resolved.command == nullptr) return NothingToDo(resolved);
    DET_RETURN_IF_ERROR(
        ParseWords(resolved.after, MergeParams(resolved.command->params, GlobalParams(&words_))));
    if (words_.help) return PrintHelp(resolved);
    return RunCommand(*resolved.command);
  }

  // With the options as far as they were understood: an error may be about them.
  void PrintError(const absl::Status& status) {
    GlobalOptions options = Understand(words_).value_or(GlobalOptions());
    Context(environment_, std::move(options)).PrintError(status);
  }

 private:
  const Command* Find(std::string_view verb) const {
    const auto at =
        std::find_if(set_.commands.begin(), set_.commands.end(), [&](const Command& command) {
          return command.noun.empty() && command.verb == verb;
        });
    return at == set_.commands.end() ? nullptr : &*at;
  }

  // A line for each: the value, a tab, what it is.
  ExitCode PrintCompletions(std::vector<std::string> words) {
    const size_t skipped = words.size() > 1 && words[1] == "--" ? 2 : 1;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(skipped));
    std::string text;
    for (const Completion& completion : Complete(set_, words, environment_)) {
      StrAppend(text,
                EscapeControls(completion.value, Escape::kLine),
                completion.description.empty() ? "" : "\t",
                EscapeControls(completion.description, Escape::kLine),
                "\n");
    }
    environment_.out->Write(text);
    return ExitCode::kOk;
  }

  absl::StatusOr<ExitCode> PrintHelp(const Resolved& resolved) {
    const std::vector<Param> global = GlobalParams(&words_);
    if (resolved.command != nullptr) {
      environment_.out->Write(CommandHelp(*resolved.command, global, HelpWidth(*environment_.out)));
    } else if (resolved.noun != nullptr) {
      environment_.out->Write(NounHelp(set_, *resolved.noun, HelpWidth(*environment_.out)));
    } else {
      environment_.out->Write(TopHelp(set_, global, HelpWidth(*environment_.out)));
    }
    return ExitCode::kOk;
  }

  absl::StatusOr<ExitCode> NothingToDo(const Resolved& resolved) {
    const int width = HelpWidth(*environment_.err);
    environment_.err->Write(resolved.noun == nullptr ? TopHelp(set_, GlobalParams(&words_), width)
                                                     : NounHelp(set_, *resolved.noun, width));
    return ExitCode::kUsage;
  }

  absl::StatusOr<ExitCode> RunCommand(const Command& command) {
    DET_ASSIGN_OR_RETURN(GlobalOptions options, Understand(words_));
    if (options.watch.has_value()) {
      if (IsWatchable(command)) return Watch(command, environment_, std::move(options));
      return UsageError(StrCat("det ", command.FullName(), " can't be watched"),
                        "--watch is for what lists and describes");
    }
    Context context(environment_, std::move(options));
    return command.run(context);
  }

  const CommandSet& set_;
  const Environment& environment_;
  GlobalWords words_;
};

absl::Status WriteError(int error_number) {
  return WithCause(
      Error(absl::StatusCode::kUnknown, "WRITE_FAILED", "cannot write to the standard output"),
      std::strerror(error_number));
}

}  // namespace

ExitCode Run(const CommandSet& set,
             const std::vector<std::string>& words,
             const Environment& environment) {
  Runner runner(set, environment);
  const absl::StatusOr<ExitCode> result = runner.Run(words);
  // Whoever reads our output may leave when they have seen enough; that's nothing to talk about.
  const int write_error = environment.out->error();
  if (write_error == EPIPE) return ExitCode::kBrokenPipe;
  if (!result.ok()) {
    runner.PrintError(result.status());
    return CodeOf(result.status());
  }
  if (write_error == 0) return *result;
  runner.PrintError(WriteError(write_error));
  return ExitCode::kFailure;
}

}  // namespace det::cli
