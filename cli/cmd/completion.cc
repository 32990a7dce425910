#include <memory>

#include "cli/app/complete.h"
#include "cli/app/context.h"
#include "cli/cmd/commands.h"

namespace det::cli {

Command CompletionCommand() {
  auto shell = std::make_shared<std::string>();
  Param argument = Required("SHELL", shell.get(), "bash, zsh or fish");
  argument.choices = {"bash", "zsh", "fish"};
  return {.verb = "completion",
          .summary = "Print a script that completes commands, options and ids in a shell.",
          .params = {std::move(argument)},
          .examples = {{"eval \"$(det completion bash)\"", "in ~/.bashrc"},
                       {"eval \"$(det completion zsh)\"", "in ~/.zshrc, after compinit"},
                       {"det completion fish | source", "in ~/.config/fish/config.fish"}},
          .run = [shell](Context& context) -> absl::StatusOr<ExitCode> {
            context.out().Write(CompletionScript(*shell));
            return ExitCode::kOk;
          }};
}

}  // namespace det::cli
