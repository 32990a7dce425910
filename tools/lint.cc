#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tools/layers.h"

// det-lint ROOT: the rules of the tree that a compiler does not know. Prints "file:line: rule" and
// exits 1 when one is broken. Rules: docs/lint.md.
namespace {

namespace fs = std::filesystem;
using det::lint::FindCycle;
using det::lint::Layer;
using det::lint::LayerOf;
using det::lint::Layers;

constexpr size_t kFileLinesMax = 800;
constexpr size_t kFunctionLinesMax = 70;

// Where nothing may depend on a clock, a thread, a file, the environment or hashing.
bool IsPure(std::string_view folder) {
  static const std::set<std::string_view> pure = {"common/base",
                                                  "common/rng",
                                                  "common/math",
                                                  "master/spec",
                                                  "master/core",
                                                  "master/gc",
                                                  "master/searcher",
                                                  "master/scheduler",
                                                  "agent/core"};
  return pure.contains(folder);
}

struct Ban {
  std::string_view text;
  std::string_view why;
};

const std::vector<Ban>& PureBans() {
  static const std::vector<Ban> bans = {
      {"absl::Now", "time enters as a value"},
      {"_clock::now", "time enters as a value"},
      {"std::rand", "randomness is counter-based (common/rng)"},
      {"random_device", "randomness is counter-based (common/rng)"},
      {"std::thread", "pure code has no threads"},
      {"std::mutex", "pure code has no threads"},
      {"fstream", "pure code reads no files"},
      {"getenv", "pure code reads no environment"},
      {"unordered_", "iteration must not depend on hashing"},
      {"flat_hash_", "iteration must not depend on hashing"},
      {"std::exp(", "common/math is the same on every machine"},
      {"std::log(", "common/math is the same on every machine"},
      {"std::pow(", "common/math is the same on every machine"},
  };
  return bans;
}

const std::vector<Ban>& AllBans() {
  static const std::vector<Ban> bans = {
      {"using namespace std", "name what is used"},
      {"std::this_thread::sleep", "wait for something, with a deadline"},
      {"absl::SleepFor", "wait for something, with a deadline"},
      {"absl::Mutex", "common/base/mutex.h is what ThreadSanitizer understands"},
      {"std::endl", "it flushes"},
  };
  return bans;
}

// The few places where waiting by the clock is the point.
bool MaySleep(std::string_view file) {
  static const std::set<std::string_view> files = {"common/testing/eventually.h",
                                                   "common/os/pause.cc"};
  return files.contains(file);
}

struct Finding {
  std::string file;
  size_t line = 0;
  std::string text;
};

std::vector<std::string> ReadLines(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
  return lines;
}

// Blanks out comments and the insides of literals, keeping every line's length.
std::vector<std::string> Code(const std::vector<std::string>& lines) {
  std::vector<std::string> out;
  bool comment = false;
  std::string raw_end;  // of a raw string that goes on
  for (const std::string& line : lines) {
    std::string code(line.size(), ' ');
    for (size_t i = 0; i < line.size(); ++i) {
      if (!raw_end.empty()) {
        const size_t end = line.find(raw_end, i);
        if (end == std::string::npos) break;
        i = end + raw_end.size() - 1;
        raw_end.clear();
        continue;
      }
      if (comment) {
        if (line.compare(i, 2, "*/") == 0) comment = false, ++i;
        continue;
      }
      if (line.compare(i, 2, "//") == 0) break;
      if (line.compare(i, 2, "/*") == 0) {
        comment = true;
        ++i;
        continue;
      }
      if (line.compare(i, 2, "R\"") == 0) {
        const size_t open = line.find('(', i);
        if (open != std::string::npos) {
          raw_end = ")" + line.substr(i + 2, open - i - 2) + "\"";
          i = open;
          continue;
        }
      }
      const bool digit_separator =
          line[i] == '\'' && i > 0 && std::isalnum(static_cast<unsigned char>(line[i - 1])) != 0;
      if (line[i] == '"' || (line[i] == '\'' && !digit_separator)) {
        const char quote = line[i];
        code[i] = quote;
        for (++i; i < line.size() && line[i] != quote; ++i) {
          if (line[i] == '\\') ++i;
        }
        if (i < line.size()) code[i] = quote;
        continue;
      }
      code[i] = line[i];
    }
    out.push_back(std::move(code));
  }
  return out;
}

std::string FolderOf(const std::string& file) {
  const std::string folder = fs::path(file).parent_path().string();
  return folder;
}

class Linter {
 public:
  explicit Linter(fs::path root) : root_(std::move(root)) {}

  int Run() {
    for (const std::string& file : Files()) Check(file);
    if (const std::string cycle = FindCycle(det::lint::Below(Layers())); !cycle.empty())
      Add("tools/layers.cc", 1, "the table of layers goes in a circle: " + cycle);
    if (const std::string cycle = FindCycle(includes_); !cycle.empty())
      Add(".", 1, "folders include each other in a circle: " + cycle);
    std::sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    for (const Finding& f : findings_)
      std::printf("%s:%zu: %s\n", f.file.c_str(), f.line, f.text.c_str());
    std::printf("det-lint: %zu files, %zu findings\n", files_, findings_.size());
    return findings_.empty() ? 0 : 1;
  }

 private:
  std::vector<std::string> Files() const {
    static const std::set<std::string> skipped = {"build", ".git", ".cache"};
    static const std::set<std::string> kinds = {".cc", ".h", ".proto", ".sql"};
    std::vector<std::string> files;
    for (auto it = fs::recursive_directory_iterator(root_);
         it != fs::recursive_directory_iterator();
         ++it) {
      const std::string name = it->path().filename().string();
      if (it->is_directory() && skipped.contains(name)) {
        it.disable_recursion_pending();
      } else if (it->is_regular_file() && kinds.contains(it->path().extension().string())) {
        files.push_back(fs::relative(it->path(), root_).string());
      }
    }
    return files;
  }

  void Check(const std::string& file) {
    ++files_;
    const std::vector<std::string> lines = ReadLines(root_ / file);
    if (lines.size() > kFileLinesMax) {
      Add(file,
          lines.size(),
          "the file has " + std::to_string(lines.size()) + " lines, at most 800 are allowed");
    }
    const std::string extension = fs::path(file).extension().string();
    if (extension != ".cc" && extension != ".h") return;
    const std::vector<std::string> code = Code(lines);
    CheckIncludes(file, lines);
    CheckBans(file, code);
    CheckFunctions(file, code);
    if (extension == ".h" && std::find(lines.begin(), lines.end(), "#pragma once") == lines.end()) {
      Add(file, 1, "a header needs #pragma once");
    }
  }

  void Add(const std::string& file, size_t line, std::string text) {
    findings_.push_back({file, line, std::move(text)});
  }

  static bool IsTest(const std::string& file) {
    return file.ends_with("_test.cc") || file.find("/testing/") != std::string::npos ||
           file.compare(0, 6, "tests/") == 0 || file.ends_with("testing.h") ||
           file.ends_with("testing.cc");
  }

  void CheckIncludes(const std::string& file, const std::vector<std::string>& lines) {
    const std::string folder = FolderOf(file);
    const Layer* layer = LayerOf(folder);
    if (layer == nullptr || IsTest(file)) return;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].compare(0, 10, "#include \"") != 0) continue;
      const std::string target = lines[i].substr(10, lines[i].rfind('"') - 10);
      if (fs::exists(root_ / target)) includes_[folder].insert(FolderOf(target));
      if (!Allowed(file, *layer, target)) {
        Add(file, i + 1, std::string(folder).append(" may not include ").append(target));
      }
    }
  }

  // Generated code is seen by converters, codecs, services and links alone.
  static bool MaySeeProto(const std::string& file, const Layer& layer) {
    static const std::set<std::string_view> folders = {"master/rpc",
                                                       "agent/sampling",
                                                       "agent/session",
                                                       "agent/relay",
                                                       "agent/prepare",
                                                       "cli/client"};
    return folders.contains(layer.folder) || file == "master/journal/codec.cc" ||
           file.compare(0, 11, "common/net/") == 0;
  }

  bool Allowed(const std::string& file, const Layer& layer, const std::string& target) const {
    if (target.compare(0, 4, "det/") == 0) return MaySeeProto(file, layer);
    if (!fs::exists(root_ / target)) return true;  // a library's
    const std::string folder = FolderOf(target);
    const Layer* other = LayerOf(folder);
    if (other != nullptr && other->folder == layer.folder) return true;
    return std::any_of(layer.below.begin(), layer.below.end(), [&](std::string_view below) {
      if (below.back() == '/') return target.compare(0, below.size(), below) == 0;
      return folder == below;
    });
  }

  void CheckBans(const std::string& file, const std::vector<std::string>& code) {
    const Layer* layer = LayerOf(FolderOf(file));
    // The mutex lives beside what everybody uses; pure code does not include it.
    const bool pure =
        layer != nullptr && IsPure(layer->folder) && !IsTest(file) && file != "common/base/mutex.h";
    for (size_t i = 0; i < code.size(); ++i) {
      if (!MaySleep(file)) Ban(file, i, code[i], AllBans());
      if (pure) Ban(file, i, code[i], PureBans());
    }
  }

  void Ban(const std::string& file,
           size_t i,
           const std::string& line,
           const std::vector<struct Ban>& bans) {
    for (const auto& [text, why] : bans) {
      if (line.find(text) != std::string::npos) {
        Add(file, i + 1, std::string(text) + " is not used here: " + std::string(why));
      }
    }
  }

  // A body is measured from the line that opens it at the level of a namespace or a class to the
  // line that closes it. What opens a namespace, class, enum or initialiser is no function.
  void CheckFunctions(const std::string& file, const std::vector<std::string>& code) {
    struct Open {
      size_t line;
      bool function;
    };
    std::vector<Open> open;
    std::string head;  // what stands before the next brace
    for (size_t i = 0; i < code.size(); ++i) {
      if (code[i].find_first_not_of(' ') != std::string::npos &&
          code[i][code[i].find_first_not_of(' ')] == '#')
        continue;
      for (const char c : code[i]) {
        if (c == '{') {
          const bool inside =
              std::any_of(open.begin(), open.end(), [](const Open& o) { return o.function; });
          open.push_back({i, !inside && IsFunctionHead(head)});
          head.clear();
        } else if (c == '}') {
          if (open.empty()) continue;
          const size_t lines = i - open.back().line + 1;
          if (open.back().function && lines > kFunctionLinesMax) {
            Add(file,
                open.back().line + 1,
                "the function has " + std::to_string(lines) + " lines, at most 70 are allowed");
          }
          open.pop_back();
          head.clear();
        } else if (c == ';') {
          head.clear();
        } else {
          head.push_back(c);
        }
      }
      head.push_back(' ');
    }
  }

  static bool IsFunctionHead(const std::string& head) {
    if (head.find(')') == std::string::npos) return false;
    std::istringstream in(head);
    std::string first;
    in >> first;
    static const std::set<std::string> others = {
        "namespace", "class", "struct", "union", "enum", "extern"};
    return !others.contains(first);
  }

  const fs::path root_;
  size_t files_ = 0;
  det::lint::Graph includes_;  // by folder, tests left out
  std::vector<Finding> findings_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: det-lint ROOT\n");
    return 2;
  }
  return Linter(argv[1]).Run();
}
