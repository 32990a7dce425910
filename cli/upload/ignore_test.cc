#include "cli/upload/ignore.h"

#include <map>
#include <tuple>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace det::cli {
namespace {

struct Case {
  const char* rules;
  const char* path;  // a slash at its end: a directory
  bool ignored;
};

// As git 2.39 decides (git check-ignore --no-index).
constexpr Case kCases[] = {
    {"*.pyc", "a.pyc", true},
    {"*.pyc", "deep/er/a.pyc", true},
    {"*.pyc", "a.py", false},
    {"# comment\n\n\\#file", "#file", true},
    {"# comment", "# comment", false},
    {"/top", "top", true},
    {"/top", "sub/top", false},
    {"sub/file", "sub/file", true},
    {"sub/file", "other/sub/file", false},
    {"dir/", "dir/", true},
    {"dir/", "dir", false},
    {"dir/", "a/dir/", true},
    {"dir/", "dir/file", true},
    {"**/foo", "foo", true},
    {"**/foo", "a/b/foo", true},
    {"**/foo", "xfoo", false},
    {"**/foo/bar", "a/foo/bar", true},
    {"abc/**", "abc/x/y", true},
    {"abc/**", "abc/", false},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/xb", false},
    {"a/*/b", "a/x/y/b", false},
    {"foo*bar", "foo/bar", false},
    {"foo**bar", "fooxbar", true},
    {"***/b", "a/c/b", true},
    {"?", "a", true},
    {"?", "ab", false},
    {"a?b", "a/b", false},
    {"[ab]c", "ac", true},
    {"[!ab]c", "ac", false},
    {"[^ab]c", "xc", true},
    {"[a-c]", "b", true},
    {"[]]", "]", true},
    {"[a-]", "-", true},
    {"[b-a]", "b", true},
    {"[b-a]", "a", false},
    {"[[:digit:]]x", "7x", true},
    {"[[:nonsense:]]", "n", false},
    {"[abc", "[abc", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a\\", "a", false},
    {"a ", "a", true},
    {"a\\ ", "a ", true},
    {"a\r", "a", true},
    {"*\n!keep", "keep", false},
    {"*\n!keep", "other", true},
    {"!keep\n*", "keep", true},
    {"dir/\n!dir/keep", "dir/keep", true},  // what is above it is out
    {"dir/*\n!dir/keep", "dir/keep", false},
    {"\\!bang", "!bang", true},
    {"/*\n!/a/\n/a/*\n!/a/b/", "a/b/c", false},
    {"/*\n!/a/\n/a/*\n!/a/b/", "a/x", true},
    {"/", "a", false},
    {"!", "a", false},
    {"\xef\xbb\xbf"
     "a",
     "a",
     true},
    {"日*", "日本", true},
};

// As a walk decides: nothing below a directory that is left out is looked at.
bool Ignored(const IgnoreRules& rules, std::string_view path) {
  const bool directory = path.ends_with('/');
  if (directory) path.remove_suffix(1);
  for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    if (rules.Ignores(path.substr(0, slash), true)) return true;
  }
  return rules.Ignores(path, directory);
}

TEST(IgnoreTest, DecidesAsGit) {
  for (const Case& c : kCases) {
    IgnoreRules rules;
    rules.Add(c.rules);
    EXPECT_EQ(Ignored(rules, c.path), c.ignored) << "rules:\n" << c.rules << "\npath: " << c.path;
  }
}

TEST(IgnoreTest, DefaultsMayBeTakenBack) {
  IgnoreRules rules;
  rules.Add(DefaultIgnores());
  for (const char* path : {".git/", "a/.git/", "a/__pycache__/x", "m.pyc", "m.pyo", ".detignore"}) {
    EXPECT_TRUE(Ignored(rules, path)) << path;
  }
  EXPECT_FALSE(Ignored(rules, "model.py"));
  EXPECT_FALSE(Ignored(rules, ".git"));
  EXPECT_FALSE(Ignored(rules, "sub/.detignore"));
  rules.Add("!*.pyc\n");
  EXPECT_FALSE(Ignored(rules, "m.pyc"));
}

// A matcher that is slow and plain: it tries everything, character by character, but nothing twice.
class Reference {
 public:
  Reference(std::string_view pattern, std::string_view path) : pattern_(pattern), path_(path) {}

  // Whether the pattern from `p` on matches the path from `s` on. `begins`: a component does.
  bool Matches(size_t p, size_t s, bool begins) {
    const auto [at, is_new] = known_.try_emplace({p, s, begins}, false);
    if (is_new) at->second = Try(pattern_.substr(p), p, s, begins);
    return at->second;
  }

 private:
  bool Try(std::string_view pattern, size_t p, size_t s, bool begins) {
    if (pattern.empty()) return s == path_.size();
    if (begins && pattern.starts_with("**/")) {
      for (size_t i = s; i <= path_.size(); ++i) {
        const bool component = i == 0 || path_[i - 1] == '/';
        if (component && Matches(p + 3, i, true)) return true;
      }
      return false;
    }
    if (begins && pattern == "**") return s < path_.size();
    if (pattern[0] == '*') {
      for (size_t i = s; i <= path_.size(); ++i) {
        if (Matches(p + 1, i, false)) return true;
        if (i < path_.size() && path_[i] == '/') return false;
      }
      return false;
    }
    if (s == path_.size()) return false;
    const bool one = pattern[0] == '?' ? path_[s] != '/' : pattern[0] == path_[s];
    return one && Matches(p + 1, s + 1, pattern[0] == '/');
  }

  const std::string_view pattern_;
  const std::string_view path_;
  std::map<std::tuple<size_t, size_t, bool>, bool> known_;
};

// Components of pieces, joined by slashes. Two stars in a row only fill a component.
std::string Components(const rc::Gen<std::string>& piece) {
  const auto component = rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(piece));
  std::string text;
  for (const auto& pieces :
       *rc::gen::nonEmpty(rc::gen::container<std::vector<std::vector<std::string>>>(component))) {
    if (!text.empty()) text.push_back('/');
    const size_t begin = text.size();
    for (const std::string& part : pieces) text.append(part);
    if (text.substr(begin) == "**") continue;
    for (size_t at = text.find("**", begin); at != std::string::npos; at = text.find("**", begin)) {
      text.erase(at, 1);
    }
  }
  return text;
}

RC_GTEST_PROP(IgnoreProperty, MatchesAsTheReference, ()) {
  const std::string pattern =
      Components(rc::gen::element<std::string>("a", "b", "ab", "*", "?", "a*", "**"));
  const std::string path = Components(rc::gen::element<std::string>("a", "b", "ab"));
  const bool expected = Reference(pattern, path).Matches(0, 0, true);
  RC_CLASSIFY(expected);
  RC_ASSERT(GlobPattern(pattern).Matches(path) == expected);
}

RC_GTEST_PROP(IgnoreProperty, LastRuleDecides, (const std::string& noise)) {
  IgnoreRules rules;
  rules.Add(noise + "\n*\n");
  RC_ASSERT(rules.Ignores("any", false));
  rules.Add("!any\n");
  RC_ASSERT(!rules.Ignores("any", false));
  RC_ASSERT(!rules.Ignores("deep/any", false));
}

RC_GTEST_PROP(IgnoreProperty, AnEscapedNameMatchesItselfAlone, ()) {
  const auto name = *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::suchThat(
      rc::gen::arbitrary<char>(), [](char c) { return c != '/' && c != '\n' && c != '\r'; })));
  std::string rule;
  for (const char c : name) rule.append({'\\', c});
  IgnoreRules rules;
  rules.Add(rule);
  RC_ASSERT(rules.Ignores(name, false));
  RC_ASSERT(!rules.Ignores(name + "x", false));
}

TEST(IgnoreTest, NoPatternTakesLong) {
  IgnoreRules rules;
  std::string stars;
  for (int i = 0; i < 100; ++i) stars.append("*a");
  rules.Add(stars + "b");
  EXPECT_FALSE(rules.Ignores(std::string(2000, 'a'), false));
}

}  // namespace
}  // namespace det::cli
