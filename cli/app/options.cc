#include "cli/app/options.h"

#include <algorithm>

#include "cli/base/cause.h"
#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

constexpr char kFormats[] = "table, wide, json, jsonl, yaml, csv, tsv, name, template=TEXT";
constexpr char kWatchDefault[] = "2s";

const std::vector<std::string>& FormatNames() {
  static const auto* const names = new std::vector<std::string>{
      "table", "wide", "json", "jsonl", "yaml", "csv", "tsv", "name", "template"};
  return *names;
}

absl::Status ReadFormat(const std::string& word, GlobalOptions* options) {
  const size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const auto at = std::find(FormatNames().begin(), FormatNames().end(), name);
  const bool takes_text = name == "template";
  if (at == FormatNames().end() || takes_text != (equals != std::string::npos)) {
    const std::string nearest = Nearest(name, FormatNames());
    return UsageError(StrCat("--output: ", QuoteJson(word), " is not one of ", kFormats),
                      takes_text        ? "such as -o template='{id} {state}'"
                      : nearest.empty() ? std::string()
                                        : StrCat("did you mean ", nearest, "?"));
  }
  options->format = static_cast<Format>(at - FormatNames().begin());
  if (takes_text) options->text = word.substr(equals + 1);
  return absl::OkStatus();
}

// --json, --yaml and --csv are -o json, yaml and csv.
absl::StatusOr<std::string> FormatWord(const GlobalWords& words) {
  std::vector<std::string> asked;
  if (words.output != GlobalWords().output) asked.push_back(words.output);
  if (words.json) asked.push_back("json");
  if (words.yaml) asked.push_back("yaml");
  if (words.csv) asked.push_back("csv");
  if (asked.empty()) return words.output;
  if (asked.size() == 1) return asked[0];
  return UsageError(StrCat("one format at a time, not ", StrJoin(asked, " and ")),
                    "such as -o json");
}

std::vector<std::string> SplitCommas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return parts;
}

}  // namespace

std::vector<Param> GlobalParams(GlobalWords* words) {
  Param output =
      Option("-o,--output", "FORMAT", &words->output, StrCat("how to print results: ", kFormats));
  output.suggestions = {
      "table", "wide", "json", "jsonl", "yaml", "csv", "tsv", "name", "template="};
  Param watch = Option("-w,--watch",
                       "[=TIME]",
                       &words->watch,
                       "print lists and descriptions anew every 2s, or so often");
  watch.implied = kWatchDefault;
  Param color = Option("--color", "WHEN", &words->color, "auto, always or never");
  color.choices = {"auto", "always", "never"};
  return {
      std::move(output),
      Option("--columns", "A,B", &words->columns, "print these columns; paths too: hparams.lr"),
      Option("--sort", "COLUMN", &words->sort, "sort the table; -COLUMN or COLUMN:desc: downwards"),
      Flag("--no-headers", &words->no_headers, "print the table without its first line"),
      std::move(watch),
      std::move(color),
      Flag("--no-progress", &words->no_progress, "no progress, no live view"),
      Flag("--no-pager", &words->no_pager, "print long results without a pager"),
      Flag("-q,--quiet", &words->quiet, "print results and errors only"),
      Flag("-v,--verbose", &words->verbose, "print each call to the master"),
      Option(
          "--context", "NAME", &words->context, "the cluster of this context (env: DET_CONTEXT)"),
      Option("-m,--master", "ADDRESS", &words->master, "the master's HOST:PORT (env: DET_MASTER)"),
      Option("--token-file", "FILE", &words->token_file, "a file with the token (env: DET_TOKEN)"),
      Flag("--plaintext", &words->plaintext, "send the token unencrypted to another machine"),
      Option("--timeout", "TIME", &words->timeout, "give up after that long: 30s, 5m"),
      Flag("-h,--help", &words->help, "print this help"),
      Flag("--version", &words->version, "print the version"),
      Hidden(Flag("--json", &words->json, "as -o json")),
      Hidden(Flag("--yaml", &words->yaml, "as -o yaml")),
      Hidden(Flag("--csv", &words->csv, "as -o csv")),
      NoOption("-u,--user", "a token says who you are: det login, or --token-file FILE"),
  };
}

absl::StatusOr<absl::Duration> ParseTime(std::string_view option, const std::string& text) {
  absl::Duration time;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  const std::string with_unit = digits ? text + "s" : text;
  if (!absl::ParseDuration(with_unit, &time) || time <= absl::ZeroDuration()) {
    return UsageError(StrCat(option, ": ", QuoteJson(text), " is no time"), "write 30s, 5m or 2h");
  }
  return time;
}

absl::StatusOr<GlobalOptions> Understand(const GlobalWords& words) {
  GlobalOptions options;
  options.quiet = words.quiet;
  options.verbose = words.verbose;
  options.no_progress = words.no_progress;
  options.no_pager = words.no_pager;
  DET_ASSIGN_OR_RETURN(const std::string format, FormatWord(words));
  DET_RETURN_IF_ERROR(ReadFormat(format, &options));
  options.color = words.color == "always"  ? ColorMode::kAlways
                  : words.color == "never" ? ColorMode::kNever
                                           : ColorMode::kAuto;
  if (!words.timeout.empty()) {
    DET_ASSIGN_OR_RETURN(options.timeout, ParseTime("--timeout", words.timeout));
  }
  if (!words.watch.empty()) {
    DET_ASSIGN_OR_RETURN(options.watch, ParseTime("--watch", words.watch));
    options.watch = std::max(*options.watch, absl::Milliseconds(100));
  }
  options.table.header = !words.no_headers;
  options.table.columns = SplitCommas(words.columns);
  options.table.sort = words.sort;
  options.connection = {words.master, words.token_file, words.context, words.plaintext};
  return options;
}

}  // namespace det::cli
