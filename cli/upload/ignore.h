#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace det::cli {

// One pattern of gitignore syntax: `*` and `?` stay within a name, `**` spans directories, `[a-z]`,
// a backslash takes the next character as it is. Matching takes O(|pattern| |path|), so no pattern
// can hold a walk up.
class GlobPattern {
 public:
  explicit GlobPattern(std::string_view pattern);

  // `path` has no slash at its ends.
  bool Matches(std::string_view path) const;

 private:
  enum class Kind { kChar, kAny, kClass, kStar, kDirectories, kRest };
  struct Token {
    Kind kind = Kind::kChar;
    char character = 0;
    std::bitset<256> members = {};
  };

  size_t ReadToken(std::string_view pattern, size_t at);
  size_t ReadStars(std::string_view pattern, size_t at);
  size_t ReadClass(std::string_view pattern, size_t at);
  void Skip(bool begins_component, std::vector<bool>* states) const;
  void Step(char c, const std::vector<bool>& from, std::vector<bool>* to) const;

  std::vector<Token> tokens_;
  bool valid_ = true;  // one that is not matches nothing
};

// The rules of a .detignore file, as git reads .gitignore: the last rule that matches decides, `!`
// takes a path back in, a slash within a rule ties it to the root, one at its end to directories.
class IgnoreRules {
 public:
  // Adds the rules of `text`; they come after those there are.
  void Add(std::string_view text);

  // Whether this path is left out, given that the directories above it are not: what lies in a
  // directory that is left out can't be taken back in.
  bool Ignores(std::string_view path, bool is_directory) const;

 private:
  struct Rule {
    GlobPattern pattern;
    bool negated = false;
    bool only_directories = false;
    bool only_name = false;  // it has no slash: matched against the last component
  };
  void AddLine(std::string_view line);

  std::vector<Rule> rules_;
};

// What is left out unless .detignore says otherwise.
std::string_view DefaultIgnores();

}  // namespace det::cli
