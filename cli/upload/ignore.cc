#include "cli/upload/ignore.h"

#include <cctype>
#include <utility>

namespace det::cli {
namespace {

struct NamedClass {
  std::string_view name;
  int (*contains)(int);
};

constexpr NamedClass kNamedClasses[] = {
    {"alnum", std::isalnum},
    {"alpha", std::isalpha},
    {"blank", std::isblank},
    {"cntrl", std::iscntrl},
    {"digit", std::isdigit},
    {"graph", std::isgraph},
    {"lower", std::islower},
    {"print", std::isprint},
    {"punct", std::ispunct},
    {"space", std::isspace},
    {"upper", std::isupper},
    {"xdigit", std::isxdigit},
};

size_t Index(char c) {
  return static_cast<unsigned char>(c);
}

// Reads "[:name:]" at `at`; 0 when there is none, npos when the name is unknown.
size_t ReadNamedClass(std::string_view pattern, size_t at, std::bitset<256>* members) {
  if (pattern.substr(at, 2) != "[:") return 0;
  const size_t end = pattern.find(":]", at + 2);
  if (end == std::string_view::npos) return 0;
  const std::string_view name = pattern.substr(at + 2, end - at - 2);
  for (const NamedClass& named : kNamedClasses) {
    if (named.name != name) continue;
    for (int c = 0; c < 128; ++c) {
      if (named.contains(c) != 0) members->set(static_cast<size_t>(c));
    }
    return end + 2;
  }
  return std::string_view::npos;
}

// One character of a class, which a backslash may hide. npos when the pattern ends.
size_t ReadMember(std::string_view pattern, size_t at, char* member) {
  if (at < pattern.size() && pattern[at] == '\\') ++at;
  if (at >= pattern.size()) return std::string_view::npos;
  *member = pattern[at];
  return at + 1;
}

// A single character or a range. npos when the pattern ends.
size_t ReadRange(std::string_view pattern, size_t at, std::bitset<256>* members) {
  char first = 0;
  at = ReadMember(pattern, at, &first);
  if (at == std::string_view::npos) return at;
  char last = first;
  if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
    at = ReadMember(pattern, at + 1, &last);
    if (at == std::string_view::npos) return at;
  }
  // Git takes the first character even of a range that runs backwards.
  members->set(Index(first));
  for (size_t c = Index(first); c <= Index(last); ++c) members->set(c);
  return at;
}

// Git drops spaces at the end of a line, but not one that a backslash hides.
std::string_view TrimLine(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  size_t keep = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool hidden = line[i] == '\\' && i + 1 < line.size();
    if (hidden) ++i;
    if (hidden || line[i] != ' ') keep = i + 1;
  }
  return line.substr(0, keep);
}

}  // namespace

GlobPattern::GlobPattern(std::string_view pattern) {
  size_t at = 0;
  while (at < pattern.size() && valid_) at = ReadToken(pattern, at);
}

size_t GlobPattern::ReadToken(std::string_view pattern, size_t at) {
  const char c = pattern[at];
  if (c == '*') return ReadStars(pattern, at);
  if (c == '[') return ReadClass(pattern, at + 1);
  if (c == '?') {
    tokens_.push_back({Kind::kAny});
    return at + 1;
  }
  if (c == '\\') {
    valid_ = at + 1 < pattern.size();
    if (valid_) tokens_.push_back({Kind::kChar, pattern[at + 1]});
    return at + 2;
  }
  tokens_.push_back({Kind::kChar, c});
  return at + 1;
}

// Two stars or more that fill a component span directories; any others are as one.
size_t GlobPattern::ReadStars(std::string_view pattern, size_t at) {
  size_t end = at;
  while (end < pattern.size() && pattern[end] == '*') ++end;
  const bool begins = at == 0 || pattern[at - 1] == '/';
  const bool pair = end - at >= 2 && begins;
  if (pair && end < pattern.size() && pattern[end] == '/') {
    tokens_.push_back({Kind::kDirectories});
    return end + 1;
  }
  tokens_.push_back({pair && end == pattern.size() ? Kind::kRest : Kind::kStar});
  return end;
}

size_t GlobPattern::ReadClass(std::string_view pattern, size_t at) {
  Token token{Kind::kClass};
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool first = true;
  while (at < pattern.size() && (pattern[at] != ']' || first)) {
    first = false;
    const size_t named = ReadNamedClass(pattern, at, &token.members);
    at = named != 0 ? named : ReadRange(pattern, at, &token.members);
  }
  valid_ = at < pattern.size();
  if (negated) token.members.flip();
  token.members.reset(Index('/'));
  tokens_.push_back(token);
  return at + 1;
}

// From a state in which a token may match nothing, the next is reached as well. Directories end
// where a component begins.
void GlobPattern::Skip(bool begins_component, std::vector<bool>* states) const {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const Kind kind = tokens_[i].kind;
    const bool may = kind == Kind::kStar || (kind == Kind::kDirectories && begins_component);
    if ((*states)[i] && may) (*states)[i + 1] = true;
  }
}

void GlobPattern::Step(char c, const std::vector<bool>& from, std::vector<bool>* to) const {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (!from[i]) continue;
    const Token& token = tokens_[i];
    switch (token.kind) {
      case Kind::kChar:
        if (c == token.character) (*to)[i + 1] = true;
        break;
      case Kind::kAny:
        if (c != '/') (*to)[i + 1] = true;
        break;
      case Kind::kClass:
        if (token.members[Index(c)]) (*to)[i + 1] = true;
        break;
      case Kind::kStar:
        if (c != '/') (*to)[i] = true;
        break;
      case Kind::kDirectories:
        (*to)[i] = true;
        break;
      case Kind::kRest:
        (*to)[i] = true;
        (*to)[i + 1] = true;
        break;
    }
  }
}

// Steps through all states that the characters read so far may have led to.
bool GlobPattern::Matches(std::string_view path) const {
  if (!valid_) return false;
  std::vector<bool> states(tokens_.size() + 1);
  states[0] = true;
  Skip(true, &states);
  for (const char c : path) {
    std::vector<bool> next(tokens_.size() + 1);
    Step(c, states, &next);
    Skip(c == '/', &next);
    states = std::move(next);
  }
  return states.back();
}

void IgnoreRules::Add(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    AddLine(TrimLine(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

void IgnoreRules::AddLine(std::string_view line) {
  if (line.empty() || line[0] == '#') return;
  const bool negated = line[0] == '!';
  if (negated) line.remove_prefix(1);
  const bool only_directories = line.ends_with('/');
  if (only_directories) line.remove_suffix(1);
  const bool only_name = line.find('/') == std::string_view::npos;
  if (line.starts_with('/')) line.remove_prefix(1);
  if (line.empty()) return;
  rules_.push_back({GlobPattern(line), negated, only_directories, only_name});
}

bool IgnoreRules::Ignores(std::string_view path, bool is_directory) const {
  const size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->only_directories && !is_directory) continue;
    if (rule->pattern.Matches(rule->only_name ? name : path)) return !rule->negated;
  }
  return false;
}

std::string_view DefaultIgnores() {
  return ".git/\n__pycache__/\n*.py[co]\n.idea/\n.vscode/\n.mypy_cache/\n/.detignore\n";
}

}  // namespace det::cli
