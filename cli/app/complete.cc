#include "cli/app/complete.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cli/app/context.h"
#include "cli/app/options.h"
#include "cli/app/parser.h"
#include "cli/app/resolve.h"
#include "cli/client/client.h"
#include "cli/client/contexts.h"
#include "cli/format/escape.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr absl::Duration kMasterMax = absl::Milliseconds(300);
constexpr int kIdsMax = 100;

using Completions = std::vector<Completion>;

// Of which kind the values of a parameter are.
enum class Live { kNone, kExperiment, kTrial, kCheckpoint, kAgent, kContext, kFile };

Live KindOf(const Command& command, const Param& param) {
  const std::string& name = param.is_argument() ? param.names : param.placeholder;
  const std::vector<std::string> names = SplitNames(param.names);
  const auto named = [&](const char* option) {
    return std::find(names.begin(), names.end(), option) != names.end();
  };
  if (named("--context") ||
      (name == "NAME" && command.noun == "context" && command.verb != "add")) {
    return Live::kContext;
  }
  if (named("--trial") || name == "TRIAL") return Live::kTrial;
  if (named("--experiment") || name == "EXPERIMENT") return Live::kExperiment;
  if (name == "UUID" || name == "CHECKPOINT") return Live::kCheckpoint;
  if (name == "AGENT") return Live::kAgent;
  if (name == "FILE" || name == "CONFIG" || name == "DIR" || name == "DIRECTORY" ||
      name == "MODEL_DIR")
    return Live::kFile;
  if (name != "ID" && name != "A" && name != "B") return Live::kNone;
  if (command.noun == "trial" || command.verb == "metrics") return Live::kTrial;
  if (command.noun == "agent") return Live::kAgent;
  if (command.noun == "checkpoint") return Live::kCheckpoint;
  return command.noun == "experiment" || command.noun.empty() ? Live::kExperiment : Live::kNone;
}

class LiveValues {
 public:
  explicit LiveValues(Context& context) : context_(context) {}

  Completions Of(Live kind) {
    if (kind == Live::kFile) return {{kCompleteFiles, ""}};
    if (kind == Live::kContext) return ContextNames();
    const absl::StatusOr<Client*> client = context_.Connect();
    if (!client.ok()) return {};
    switch (kind) {
      case Live::kExperiment:
        return Experiments(*client);
      case Live::kTrial:
        return Trials(*client);
      case Live::kCheckpoint:
        return Checkpoints(*client);
      case Live::kAgent:
        return Agents(*client);
      default:
        return {};
    }
  }

 private:
  Completions ContextNames() {
    Completions found;
    const absl::StatusOr<Contexts> contexts = ReadContexts(context_.getenv());
    if (!contexts.ok()) return found;
    for (const ClusterContext& context : contexts->all) {
      found.push_back({context.name, context.master});
    }
    return found;
  }

  static Completions Experiments(Client* client) {
    api::ListExperimentsRequest request;
    request.set_limit(kIdsMax);
    Completions found;
    const auto page = client->ListExperiments(request);
    if (!page.ok()) return found;
    for (const api::Experiment& e : page->experiments()) {
      found.push_back({StrCat(e.id()), StrCat(e.name(), ", ", e.state())});
    }
    return found;
  }

  static Completions Trials(Client* client) {
    api::ListTrialsRequest request;
    request.set_limit(kIdsMax);
    Completions found;
    const auto page = client->ListTrials(request);
    if (!page.ok()) return found;
    for (const api::Trial& t : page->trials()) {
      found.push_back({StrCat(t.id()), StrCat("of experiment ", t.experiment(), ", ", t.state())});
    }
    return found;
  }

  static Completions Checkpoints(Client* client) {
    api::ListCheckpointsRequest request;
    request.set_limit(kIdsMax);
    Completions found;
    const auto page = client->ListCheckpoints(request);
    if (!page.ok()) return found;
    for (const api::Checkpoint& c : page->checkpoints()) {
      found.push_back({c.uuid(), StrCat("of trial ", c.trial(), " at ", c.steps_completed())});
    }
    return found;
  }

  static Completions Agents(Client* client) {
    api::ListAgentsRequest request;
    request.set_limit(kIdsMax);
    Completions found;
    const auto page = client->ListAgents(request);
    if (!page.ok()) return found;
    for (const api::Agent& a : page->agents()) {
      found.push_back({a.id(), StrCat(a.state(), ", ", a.slots_size(), " slots")});
    }
    return found;
  }

  Context& context_;
};

// The parameter that a word names: "--tail", "--tail=5", or the last letter of "-fn".
const Param* FindOption(const std::vector<Param>& params, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  for (const Param& param : params) {
    if (param.is_argument()) continue;
    const std::vector<std::string> names = SplitNames(param.names);
    if (std::find(names.begin(), names.end(), name) != names.end()) return &param;
  }
  return nullptr;
}

bool NeedsWord(const Param* param) {
  return param != nullptr && param->takes_value() && param->implied.empty();
}

class Completer {
 public:
  Completer(const CommandSet& set, const Environment& environment)
      : set_(set), environment_(environment), global_(GlobalParams(&words_)) {}

  Completions Run(std::vector<std::string> words) {
    const std::string current = words.empty() ? std::string() : std::move(words.back());
    if (!words.empty()) words.pop_back();
    const absl::StatusOr<Resolved> resolved = Resolve(set_, global_, words);
    if (!resolved.ok()) return {};
    const bool values = !words.empty() && words.back().find('=') == std::string::npos;
    if (resolved->command == nullptr) {
      const Param* before = values ? FindOption(global_, words.back()) : nullptr;
      if (NeedsWord(before)) return Values(Command(), *before, "");
      return current.starts_with('-') ? Options({}, global_) : Names(resolved->noun);
    }
    return InCommand(*resolved, current);
  }

 private:
  Completions Names(const Noun* noun) const {
    Completions found;
    if (noun == nullptr) {
      for (const Noun& thing : set_.nouns) found.push_back({thing.name, thing.summary});
    }
    const std::string wanted = noun == nullptr ? std::string() : noun->name;
    for (const Command& command : set_.commands) {
      if (command.noun == wanted) found.push_back({command.verb, command.summary});
    }
    return found;
  }

  Completions InCommand(const Resolved& resolved, const std::string& current) {
    const Command& command = *resolved.command;
    const std::vector<Param> params = MergeParams(command.params, global_);
    const std::vector<std::string>& after = resolved.after;
    const bool dashes = std::find(after.begin(), after.end(), "--") != after.end();
    if (!dashes && !after.empty() && after.back().find('=') == std::string::npos) {
      if (const Param* option = FindOption(params, after.back()); NeedsWord(option)) {
        return Values(command, *option, "");
      }
    }
    if (!dashes && current.starts_with("--") && current.find('=') != std::string::npos) {
      const Param* option = FindOption(params, current);
      if (option == nullptr || !option->takes_value()) return {};
      return Values(command, *option, current.substr(0, current.find('=') + 1));
    }
    if (!dashes && current.starts_with('-')) return Options(after, params);
    const Param* argument = ArgumentAt(params, Arguments(params, after));
    return argument == nullptr ? Completions() : Values(command, *argument, "");
  }

  static size_t Arguments(const std::vector<Param>& params, const std::vector<std::string>& words) {
    size_t count = 0;
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i] == "--") continue;
      if (words[i].size() < 2 || words[i][0] != '-') {
        ++count;
      } else if (words[i].find('=') == std::string::npos &&
                 NeedsWord(FindOption(params, words[i]))) {
        ++i;
      }
    }
    return count;
  }

  static const Param* ArgumentAt(const std::vector<Param>& params, size_t index) {
    for (const Param& param : params) {
      if (!param.is_argument()) continue;
      if (index == 0 || param.repeats()) return &param;
      --index;
    }
    return nullptr;
  }

  static Completions Options(const std::vector<std::string>& used,
                             const std::vector<Param>& params) {
    Completions found;
    for (const Param& param : params) {
      if (param.is_argument() || param.hidden) continue;
      const std::vector<std::string> names = SplitNames(param.names);
      const bool there = std::any_of(used.begin(), used.end(), [&](const std::string& word) {
        return FindOption(params, word) == &param;
      });
      if (there && !param.repeats()) continue;
      found.push_back({names.back(), param.help});
    }
    return found;
  }

  Completions Values(const Command& command, const Param& param, const std::string& prefix) {
    Completions found;
    for (const std::string& choice : param.choices) found.push_back({choice, ""});
    for (const std::string& suggestion : param.suggestions) found.push_back({suggestion, ""});
    if (const Live kind = KindOf(command, param); found.empty() && kind != Live::kNone) {
      GlobalOptions options;
      options.timeout = kMasterMax;
      Context context(environment_, options);
      found = LiveValues(context).Of(kind);
    }
    for (Completion& completion : found) completion.value = prefix + completion.value;
    return found;
  }

  const CommandSet& set_;
  const Environment& environment_;
  GlobalWords words_;
  const std::vector<Param> global_;
};

constexpr char kBash[] =
    R"sh(# Completion of det for bash: eval "$(det completion bash)" in ~/.bashrc
_det_complete() {
  local line=${COMP_LINE:0:COMP_POINT} current value rest
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${words[${#words[@]}-1]}
  COMPREPLY=()
  while IFS=$'\t' read -r value rest; do
    if [[ $value == :files ]]; then
      compopt -o default 2>/dev/null
      continue
    fi
    # Bash completes what follows the last = by itself.
    [[ $current == *=* && $COMP_WORDBREAKS == *=* ]] && value=${value#"${current%%=*}="}
    COMPREPLY+=("$value")
  done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _det_complete det
)sh";

constexpr char kZsh[] = R"sh(#compdef det
# Completion of det for zsh: eval "$(det completion zsh)" in ~/.zshrc, after compinit
_det() {
  local line value files=0
  local -a found
  for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    value=${line%%$'\t'*}
    if [[ $value == :files ]]; then
      files=1
    elif [[ -n $value ]]; then
      found+=("${value//:/\\:}:${line#*$'\t'}")
    fi
  done
  (( files )) && _files
  (( $#found )) && _describe -V det found
}
if [[ ${funcstack[1]} == _det ]]; then _det "$@"; else compdef _det det; fi
)sh";

constexpr char kFish[] =
    R"sh(# Completion of det for fish: det completion fish | source in ~/.config/fish/config.fish
function __det_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in (command $program __complete -- $words "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c det -f -a '(__det_complete)'
)sh";

}  // namespace

std::vector<Completion> Complete(const CommandSet& set,
                                 const std::vector<std::string>& words,
                                 const Environment& environment) {
  const std::string current = words.empty() ? std::string() : words.back();
  Completions found = Completer(set, environment).Run(words);
  std::erase_if(found, [&](const Completion& completion) {
    return completion.value != kCompleteFiles && !completion.value.starts_with(current);
  });
  return found;
}

std::string CompletionScript(const std::string& shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  return kFish;
}

}  // namespace det::cli
