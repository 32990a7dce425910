#include "cli/app/parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>

#include <CLI/CLI.hpp>

#include "cli/base/cause.h"
#include "common/base/nearest.h"
#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

// The one file that knows CLI11, which only takes words apart here: its own help, errors and exit
// codes never reach the user.
namespace det::cli {
namespace {

constexpr char kSeeHelp[] = "--help shows what there is";

std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? kSeeHelp : StrCat("did you mean ", nearest, "?");
}

std::string LongName(const Param& param) {
  return SplitNames(param.names).back();
}

absl::Status CheckChoice(const Param& param, const std::string& word) {
  const auto& choices = param.choices;
  if (choices.empty() || std::find(choices.begin(), choices.end(), word) != choices.end()) {
    return absl::OkStatus();
  }
  const std::string nearest = Nearest(word, choices);
  return UsageError(
      StrCat(LongName(param), ": ", QuoteJson(word), " is not one of ", StrJoin(choices, ", ")),
      nearest.empty() ? std::string() : StrCat("did you mean ", nearest, "?"));
}

template <class Number>
absl::Status ReadNumber(const Param& param, const std::string& word, std::optional<Number>* out) {
  Number number{};
  const char* end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end || word.empty()) {
    return UsageError(StrCat(LongName(param), ": ", QuoteJson(word), " is no number"));
  }
  *out = number;
  return absl::OkStatus();
}

absl::Status Store(const Param& param, const std::string& word) {
  if (!param.instead.empty())
    return UsageError(StrCat("there is no option ", LongName(param)), param.instead);
  DET_RETURN_IF_ERROR(CheckChoice(param, word));
  return std::visit(overloaded{
                        [](bool* out) {
                          *out = true;
                          return absl::OkStatus();
                        },
                        [&](std::string* out) {
                          *out = word;
                          return absl::OkStatus();
                        },
                        [&](std::vector<std::string>* out) {
                          out->push_back(word);
                          return absl::OkStatus();
                        },
                        [&](std::optional<int64_t>* out) { return ReadNumber(param, word, out); },
                        [&](std::optional<double>* out) { return ReadNumber(param, word, out); },
                    },
                    param.target);
}

// CLI11's view of the options of a command. What it finds for each is kept as words.
class OptionReader {
 public:
  explicit OptionReader(const std::vector<Param>& params) : params_(params) {
    app_.set_help_flag();
    app_.allow_extras();
    for (const Param& param : params) {
      if (!param.is_argument()) Declare(param);
    }
  }

  // Gives the words that belong to no option.
  absl::StatusOr<std::vector<std::string>> Read(std::vector<std::string> words) {
    std::reverse(words.begin(), words.end());
    try {
      app_.parse(std::move(words));
    } catch (const CLI::ArgumentMismatch& error) {
      return Mismatch(error.what());
    } catch (const CLI::ParseError& error) {
      return UsageError(StrCat("the command line can't be read: ", error.what()), kSeeHelp);
    }
    for (const Found& found : found_) {
      if (found.set) DET_RETURN_IF_ERROR(Store(*found.param, ""));
      for (const std::string& value : found.values) {
        DET_RETURN_IF_ERROR(Store(*found.param, value));
      }
    }
    return app_.remaining();
  }

 private:
  struct Found {
    const Param* param = nullptr;
    bool set = false;
    std::vector<std::string> values = {};
  };

  void Declare(const Param& param) {
    Found& found = found_.emplace_back(Found{&param});
    if (!param.takes_value()) {
      app_.add_flag(param.names, found.set)->disable_flag_override();
      return;
    }
    app_.add_option(param.names, found.values)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  // CLI11 says "--tail: 1 required TEXT missing".
  absl::Status Mismatch(std::string_view what) const {
    const std::string name(what.substr(0, what.find(':')));
    for (const Param& param : params_) {
      const std::vector<std::string> names = SplitNames(param.names);
      if (std::find(names.begin(), names.end(), name) == names.end()) continue;
      if (!param.takes_value()) return UsageError(StrCat(name, " takes no value"));
      return UsageError(StrCat(name, " needs a value: ", name, " ", param.placeholder));
    }
    return UsageError(StrCat("the command line can't be read: ", what), kSeeHelp);
  }

  const std::vector<Param>& params_;
  CLI::App app_;
  std::deque<Found> found_;  // its elements stay where CLI11 knows them
};

absl::Status UnknownOption(const std::string& word, const std::vector<Param>& params) {
  std::vector<std::string> names;
  for (const Param& param : params) {
    if (param.hidden) continue;
    for (const std::string& name : SplitNames(param.names)) {
      if (name.starts_with("--")) names.push_back(name);
    }
  }
  const std::string name = word.substr(0, word.find('='));
  return UsageError(StrCat("there is no option ", name), DidYouMean(name, names));
}

// "--watch" as "--watch=2s", which is how it is told from an argument that follows.
std::vector<std::string> WithImplied(std::vector<std::string> words,
                                     const std::vector<Param>& params) {
  for (std::string& word : words) {
    for (const Param& param : params) {
      if (param.implied.empty()) continue;
      const std::vector<std::string> names = SplitNames(param.names);
      if (std::find(names.begin(), names.end(), word) == names.end()) continue;
      word = StrCat(names.back(), "=", param.implied);
      break;
    }
  }
  return words;
}

absl::Status StoreArguments(const std::vector<std::string>& words,
                            const std::vector<Param>& params) {
  size_t next = 0;
  for (const Param& param : params) {
    if (!param.is_argument()) continue;
    if (param.required && next >= words.size()) {
      return UsageError(StrCat(param.names, " is missing"), kSeeHelp);
    }
    const size_t end = param.repeats() ? words.size() : std::min(words.size(), next + 1);
    for (; next < end; ++next) DET_RETURN_IF_ERROR(Store(param, words[next]));
  }
  if (next == words.size()) return absl::OkStatus();
  return UsageError(StrCat(QuoteJson(words[next]), " is one argument too many"), kSeeHelp);
}

}  // namespace

absl::Status ParseWords(const std::vector<std::string>& words, const std::vector<Param>& params) {
  const auto dashes = std::find(words.begin(), words.end(), "--");
  OptionReader reader(params);
  DET_ASSIGN_OR_RETURN(
      const std::vector<std::string> rest,
      reader.Read(WithImplied(std::vector<std::string>(words.begin(), dashes), params)));
  std::vector<std::string> arguments;
  for (const std::string& word : rest) {
    if (word.starts_with('-') && word != "-") return UnknownOption(word, params);
    arguments.push_back(word);
  }
  if (dashes != words.end()) arguments.insert(arguments.end(), dashes + 1, words.end());
  return StoreArguments(arguments, params);
}

// Neither target is ever written: Store refuses the option first.
Param NoFlag(std::string names, std::string instead) {
  static bool nothing = false;
  Param param = Hidden(Flag(std::move(names), &nothing, ""));
  param.instead = std::move(instead);
  return param;
}

Param NoOption(std::string names, std::string instead) {
  static std::string nothing;
  Param param = Hidden(Option(std::move(names), "VALUE", &nothing, ""));
  param.instead = std::move(instead);
  return param;
}

std::vector<Param> MergeParams(std::vector<Param> own, std::vector<Param> global) {
  std::vector<std::string> taken;
  for (const Param& param : own) {
    for (std::string& name : SplitNames(param.names)) taken.push_back(std::move(name));
  }
  for (Param& param : global) {
    std::vector<std::string> names = SplitNames(param.names);
    std::erase_if(names, [&](const std::string& name) {
      return std::find(taken.begin(), taken.end(), name) != taken.end();
    });
    if (names.empty()) continue;
    param.names = StrJoin(names, ",");
    own.push_back(std::move(param));
  }
  return own;
}

std::vector<std::string> SplitNames(const std::string& names) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= names.size()) {
    const size_t comma = std::min(names.find(',', begin), names.size());
    out.push_back(names.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return out;
}

}  // namespace det::cli
