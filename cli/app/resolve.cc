#include "cli/app/resolve.h"

#include <algorithm>

#include "cli/app/parser.h"
#include "cli/base/cause.h"
#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

// A name that a word may mean, and what stands behind it.
struct Candidate {
  std::string name;
  const Noun* noun = nullptr;
  const Command* command = nullptr;
  bool alias = false;

  bool SameAs(const Candidate& other) const {
    return noun == other.noun && command == other.command;
  }
};

std::vector<Candidate> FirstWords(const CommandSet& set) {
  std::vector<Candidate> candidates;
  for (const Noun& noun : set.nouns) {
    candidates.push_back({noun.name, &noun});
    for (const std::string& alias : noun.aliases) {
      candidates.push_back({alias, &noun, nullptr, true});
    }
  }
  for (const Command& command : set.commands) {
    if (!command.noun.empty()) continue;
    candidates.push_back({command.verb, nullptr, &command});
    for (const std::string& alias : command.aliases) {
      candidates.push_back({alias, nullptr, &command, true});
    }
  }
  return candidates;
}

std::vector<Candidate> Verbs(const CommandSet& set, const Noun& noun) {
  std::vector<Candidate> candidates;
  for (const Command& command : set.commands) {
    if (command.noun != noun.name) continue;
    candidates.push_back({command.verb, &noun, &command});
    for (const std::string& alias : command.aliases) {
      candidates.push_back({alias, &noun, &command, true});
    }
  }
  return candidates;
}

std::vector<std::string> NamesOf(const std::vector<Candidate>& candidates) {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates) {
    if (!candidate.alias) names.push_back(candidate.name);
  }
  return names;
}

absl::Status Unknown(const std::string& word,
                     const std::string& after,
                     const std::vector<Candidate>& candidates) {
  const std::string nearest = Nearest(word, NamesOf(candidates));
  return UsageError(after.empty() ? StrCat("there is no command ", QuoteJson(word))
                                  : StrCat("there is no ", QuoteJson(word), " for ", after),
                    nearest.empty() ? StrCat("there are ", StrJoin(NamesOf(candidates), ", "))
                                    : StrCat("did you mean ", nearest, "?"));
}

// What a word of Determined's is here; null where it is none.
const Elsewhere* FindElsewhere(const CommandSet& set,
                               const std::string& noun,
                               const std::string& word) {
  for (const Elsewhere& elsewhere : set.elsewhere) {
    const auto& words = elsewhere.words;
    if (elsewhere.noun != noun || std::find(words.begin(), words.end(), word) == words.end())
      continue;
    return &elsewhere;
  }
  return nullptr;
}

absl::StatusOr<Candidate> Pick(const CommandSet& set,
                               const std::string& word,
                               const std::string& after,
                               const std::vector<Candidate>& candidates) {
  std::vector<Candidate> fits;
  for (const Candidate& candidate : candidates) {
    if (candidate.name == word) return candidate;
  }
  if (const Elsewhere* elsewhere = FindElsewhere(set, after, word); elsewhere != nullptr) {
    return UsageError(after.empty() ? StrCat("there is no command ", QuoteJson(word))
                                    : StrCat("there is no ", QuoteJson(word), " for ", after),
                      elsewhere->instead);
  }
  for (const Candidate& candidate : candidates) {
    const bool known = std::any_of(
        fits.begin(), fits.end(), [&](const Candidate& fit) { return fit.SameAs(candidate); });
    // One letter is how things are called: `det p list` is no slip for det preview-search.
    const bool enough = word.size() > 1 || candidate.noun != nullptr;
    if (candidate.name.starts_with(word) && enough && !known) fits.push_back(candidate);
  }
  if (fits.empty() || word.empty()) return Unknown(word, after, candidates);
  if (fits.size() == 1) return fits[0];
  const auto name = [](const Candidate& fit) -> const std::string& { return fit.name; };
  return UsageError(StrCat(QuoteJson(word), " may mean ", StrJoin(fits, ", ", name)),
                    "write some more letters");
}

// "label", where there is "label add".
bool BeginsTwoWords(const CommandSet& set,
                    const std::string& noun,
                    const std::string& word,
                    const std::vector<Candidate>& candidates) {
  const std::string begin = word + " ";
  return std::any_of(
             candidates.begin(),
             candidates.end(),
             [&](const Candidate& candidate) { return candidate.name.starts_with(begin); }) ||
         std::any_of(set.elsewhere.begin(), set.elsewhere.end(), [&](const Elsewhere& elsewhere) {
           return elsewhere.noun == noun && elsewhere.words[0].starts_with(begin);
         });
}

// How many words an option before the command takes: 2 when its value is a word of its own.
size_t WordsOfOption(const std::string& word, const std::vector<Param>& global) {
  const auto takes_value = [&](const std::string& name) {
    return std::any_of(global.begin(), global.end(), [&](const Param& param) {
      const std::vector<std::string> names = SplitNames(param.names);
      return param.takes_value() && param.implied.empty() &&
             std::find(names.begin(), names.end(), name) != names.end();
    });
  };
  if (word.starts_with("--")) return takes_value(word) ? 2 : 1;
  // Of letters in a row, -qo, the first that takes a value takes the rest of the word, if any.
  for (size_t i = 1; i < word.size(); ++i) {
    if (takes_value(StrCat("-", word.substr(i, 1)))) return i + 1 == word.size() ? 2 : 1;
  }
  return 1;
}

bool IsOption(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word != "--";
}

}  // namespace

absl::StatusOr<Resolved> Resolve(const CommandSet& set,
                                 const std::vector<Param>& global,
                                 const std::vector<std::string>& words) {
  Resolved resolved;
  size_t i = 0;
  while (i < words.size() && resolved.command == nullptr) {
    if (IsOption(words[i])) {
      for (size_t left = WordsOfOption(words[i], global); left > 0 && i < words.size(); --left) {
        resolved.before.push_back(words[i++]);
      }
      continue;
    }
    const bool first = resolved.noun == nullptr;
    const std::vector<Candidate> candidates = first ? FirstWords(set) : Verbs(set, *resolved.noun);
    const std::string after = first ? std::string() : resolved.noun->name;
    std::string word = words[i];
    if (BeginsTwoWords(set, after, word, candidates) && i + 1 < words.size() &&
        !IsOption(words[i + 1]))
      word += StrCat(" ", words[++i]);
    DET_ASSIGN_OR_RETURN(const Candidate picked, Pick(set, word, after, candidates));
    resolved.noun = picked.noun;
    resolved.command = picked.command;
    ++i;
  }
  resolved.after.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  return resolved;
}

}  // namespace det::cli
