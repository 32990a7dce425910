#include "cli/app/help.h"

#include <algorithm>
#include <utility>

#include "cli/app/parser.h"
#include "cli/format/width.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

// `text` broken at spaces so that it fits into the columns from `indent` to `width`. Its own line
// feeds are kept. The first line begins where the caller has come to: at `indent`.
std::string Wrapped(std::string_view text, int width, int indent) {
  constexpr int kRoomMin = 20;
  const int room = std::max(kRoomMin, width - indent);
  std::string out;
  int used = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (used > 0 && used + 1 + DisplayWidth(word) > room) {
      StrAppend(out, "\n", std::string(static_cast<size_t>(indent), ' '));
      used = 0;
    }
    if (used > 0) out.push_back(' ');
    used += DisplayWidth(word) + (used > 0 ? 1 : 0);
    out.append(word);
    if (end < text.size() && text[end] == '\n') {
      out.push_back('\n');
      used = 0;
    }
    begin = end + 1;
  }
  return out;
}

std::string Aligned(const Rows& rows, int width) {
  int label = 0;
  for (const auto& [left, right] : rows) label = std::max(label, DisplayWidth(left));
  std::string out;
  for (const auto& [left, right] : rows) {
    StrAppend(out, "  ", PadRight(left, label), "  ", Wrapped(right, width, label + 4), "\n");
  }
  return out;
}

std::string Titled(std::string_view title, const Rows& rows, int width) {
  return rows.empty() ? std::string() : StrCat("\n", title, ":\n", Aligned(rows, width));
}

// "-f, --follow", "    --tail N".
std::string OptionLabel(const Param& param) {
  const std::vector<std::string> names = SplitNames(param.names);
  std::string label = names[0].starts_with("--") ? "    " : "";
  StrAppend(label, StrJoin(names, ", "));
  if (!param.placeholder.empty()) {
    StrAppend(label, param.implied.empty() ? " " : "", param.placeholder);
  }
  return label;
}

Rows OptionRows(const std::vector<Param>& params) {
  Rows rows;
  for (const Param& param : params) {
    if (!param.is_argument() && !param.hidden) rows.emplace_back(OptionLabel(param), param.help);
  }
  return rows;
}

Rows ArgumentRows(const std::vector<Param>& params) {
  Rows rows;
  for (const Param& param : params) {
    if (param.is_argument()) rows.emplace_back(param.names, param.help);
  }
  return rows;
}

Rows VerbRows(const CommandSet& set, const std::string& noun) {
  Rows rows;
  for (const Command& command : set.commands) {
    if (command.noun != noun) continue;
    std::string names = command.verb;
    for (const std::string& alias : command.aliases) StrAppend(names, ", ", alias);
    rows.emplace_back(names, command.summary);
  }
  return rows;
}

std::string Usage(const Command& command) {
  std::string usage = StrCat("det ", command.FullName());
  const bool options = std::any_of(command.params.begin(),
                                   command.params.end(),
                                   [](const Param& p) { return !p.is_argument(); });
  if (options) usage.append(" [OPTIONS]");
  for (const Param& param : command.params) {
    if (!param.is_argument()) continue;
    const std::string name = StrCat(param.names, param.repeats() ? "..." : "");
    StrAppend(usage, " ", param.required ? name : StrCat("[", name, "]"));
  }
  return usage;
}

// The aliases through which a command is reached: "det e ls".
std::string ShortForms(const Command& command) {
  if (command.aliases.empty()) return "";
  return StrCat("Also: ", StrJoin(command.aliases, ", "), "\n");
}

}  // namespace

std::string TopHelp(const CommandSet& set, const std::vector<Param>& global, int width) {
  Rows nouns;
  for (const Noun& noun : set.nouns) {
    std::string names = noun.name;
    for (const std::string& alias : noun.aliases) StrAppend(names, ", ", alias);
    nouns.emplace_back(names, noun.summary);
  }
  const Rows examples = {
      {"det up", "start a cluster on this machine"},
      {"det experiment create mnist.yaml model/ -f", "start a search and watch it"},
      {"det e ls", "the experiments, newest first"},
      {"det why t17", "why trial 17 is in its state"},
  };
  return StrCat(
      "det trains models on a cluster and searches their hyperparameters.\n",
      "\nUsage: det COMMAND [OPTIONS] [ARGUMENTS]\n",
      Titled("Things", nouns, width),
      Titled("Commands", VerbRows(set, ""), width),
      Titled("Options of every command", OptionRows(global), width),
      Titled("Examples", examples, width),
      "\nCommands and things may be shortened as long as they stay clear: det exp desc 7.\n",
      "det COMMAND --help says more.\n");
}

std::string NounHelp(const CommandSet& set, const Noun& noun, int width) {
  Rows examples;
  for (const Command& command : set.commands) {
    if (command.noun != noun.name || command.examples.empty()) continue;
    examples.emplace_back(command.examples[0].command, command.examples[0].does);
  }
  return StrCat(noun.summary,
                "\n\nUsage: det ",
                noun.name,
                " COMMAND [OPTIONS] [ARGUMENTS]\n",
                Titled("Commands", VerbRows(set, noun.name), width),
                Titled("Examples", examples, width));
}

std::string CommandHelp(const Command& command, const std::vector<Param>& global, int width) {
  Rows examples;
  for (const Example& example : command.examples) {
    examples.emplace_back(example.command, example.does);
  }
  // The command's own options hide global ones of the same name.
  std::vector<Param> others = MergeParams(command.params, global);
  others.erase(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(command.params.size()));
  const std::string details =
      command.details.empty() ? "" : StrCat("\n", Wrapped(command.details, width, 0), "\n");
  return StrCat(Wrapped(command.summary, width, 0),
                "\n",
                details,
                "\nUsage: ",
                Usage(command),
                "\n",
                ShortForms(command),
                Titled("Arguments", ArgumentRows(command.params), width),
                Titled("Options", OptionRows(command.params), width),
                Titled("Options of every command", OptionRows(others), width),
                Titled("Examples", examples, width));
}

}  // namespace det::cli
