#include "master/config/overrides.h"

#include <algorithm>

#include "common/base/strings.h"
#include "common/base/utf8.h"
#include "common/config/yaml.h"

namespace det::config {
namespace {

constexpr size_t kOverridesMax = 256;
constexpr size_t kShownCharactersMax = 80;
constexpr int kDepthMax = 50;  // of a path, and of a value
constexpr char kForm[] = "write path=value, as in searcher.max_trials=8";

std::string Shown(std::string_view text) {
  return StrCat("--config ", Printable(text, kShownCharactersMax));
}

// Why a path is none; "" when it is one.
std::string PathProblem(std::string_view path) {
  if (std::count(path.begin(), path.end(), '.') >= kDepthMax) {
    return StrCat("the path has more than ", kDepthMax, " keys");
  }
  for (size_t at = 0; at < path.size();) {
    const CodePoint point = DecodeUtf8(path.substr(at));
    if (!point.valid || point.code < 0x20) return "the path is no UTF-8 text";
    at += point.bytes;
  }
  const bool empty_key = path.empty() || path.starts_with('.') || path.ends_with('.') ||
                         path.find("..") != std::string_view::npos;
  return empty_key ? "the path has an empty key" : "";
}

std::optional<Override> ReadOverride(std::string_view text,
                                     const YamlLimits& limits,
                                     std::vector<OverrideProblem>* problems) {
  Override result{.shown = Shown(text)};
  const auto refuse = [&](std::string message, std::string hint) -> std::optional<Override> {
    problems->push_back({result.shown, {.message = std::move(message), .hint = std::move(hint)}});
    return std::nullopt;
  };
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return refuse("has no \"=\"", kForm);
  result.path = std::string(text.substr(0, equals));
  if (std::string problem = PathProblem(result.path); !problem.empty()) {
    return refuse(std::move(problem), kForm);
  }
  YamlDocument document;
  std::vector<TextProblem> found = ReadYaml(text.substr(equals + 1), limits, &document);
  // One is enough, and its place is within the few characters that are shown anyhow.
  if (!found.empty()) return refuse(std::move(found[0].message), std::move(found[0].hint));
  result.value = document.value();
  return result;
}

// Goes from the top along the path and makes the maps that are missing. "" or what is in the way.
std::string SetPath(Value* at, std::string_view path, const Value& value) {
  for (size_t begin = 0;;) {
    if (!at->is_null() && !at->is_object()) {
      const std::string_view parent = begin == 0 ? "the configuration" : path.substr(0, begin - 1);
      return StrCat(parent, " is ", at->TypeName(), ", not a map");
    }
    const size_t end = path.find('.', begin);
    at = &(*at)[path.substr(begin, end - begin)];
    if (end == std::string_view::npos) break;
    begin = end + 1;
  }
  *at = value;
  return "";
}

}  // namespace

std::vector<Override> ReadOverrides(const std::vector<std::string>& texts,
                                    std::vector<OverrideProblem>* problems) {
  std::vector<Override> overrides;
  if (texts.size() > kOverridesMax) {
    problems->push_back(
        {"--config", {.message = StrCat("is given more than ", kOverridesMax, " times")}});
    return overrides;
  }
  YamlLimits limits{.aliases_max = 0, .depth_max = kDepthMax};
  for (const std::string& text : texts) {
    if (auto next = ReadOverride(text, limits, problems)) overrides.push_back(*std::move(next));
    limits.bytes_max -= std::min(limits.bytes_max, text.size());
  }
  return overrides;
}

void ApplyOverrides(const std::vector<Override>& overrides,
                    Value* config,
                    std::vector<OverrideProblem>* problems) {
  for (const Override& override : overrides) {
    std::string problem = SetPath(config, override.path, override.value);
    if (!problem.empty()) problems->push_back({override.shown, {.message = std::move(problem)}});
  }
}

bool IsWithin(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  return prefix.empty() || path.size() == prefix.size() || path[prefix.size()] == '.' ||
         path[prefix.size()] == '[';
}

}  // namespace det::config
