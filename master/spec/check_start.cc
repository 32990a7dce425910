#include <algorithm>

#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"

// What a trial's program is started with, its arguments and its environment, is bounded by Linux:
// each string, and all of them together. A configuration beyond it would be accepted and never run.
namespace det::spec {
namespace {

constexpr std::string_view kOpen = "${hp.";
constexpr int64_t kNumberBytesMax = 32;
// Of a variable beside its path and its value: "HP_", "=", the NUL and the pointer to it.
constexpr int64_t kVariableOverhead = 16;

int64_t Bytes(std::string_view text, bool shell) {
  const auto size = static_cast<int64_t>(text.size());
  // Each single quote becomes four bytes.
  return shell ? size + 2 + 3 * std::count(text.begin(), text.end(), '\'') : size;
}

int64_t Bytes(const Value& value, bool plain, bool shell) {
  return Bytes(plain && value.is_string() ? value.as_string() : value.ToJson(), shell);
}

// The longest text that may stand for ${hp.NAME}, or more.
class LongestValue {
 public:
  explicit LongestValue(bool shell) : shell_(shell) {}

  int64_t Of(const HparamMap& map, std::string_view path) const {
    int64_t longest = 0;
    for (size_t end = path.find('.');; end = path.find('.', end + 1)) {
      const std::string_view name = path.substr(0, end);
      if (static_cast<int64_t>(name.size()) > kHparamNameBytesMax) return longest;
      const auto found = map.find(std::string(name));
      const bool last = end == std::string_view::npos;
      if (found != map.end())
        longest = std::max(longest, Of(found->second, last ? "" : path.substr(end + 1)));
      if (last) return longest;
    }
  }

 private:
  int64_t Of(const Hparam& hparam, std::string_view path) const {
    if (const auto* map = std::get_if<HparamMap>(&hparam.kind))
      return path.empty() ? Json(*map) : Of(*map, path);
    return OfLeaf(hparam, path, true);
  }

  int64_t OfLeaf(const Hparam& hparam, std::string_view path, bool plain) const {
    if (const auto* constant = std::get_if<ConstParam>(&hparam.kind))
      return OfValue(constant->value, path, plain);
    const auto* categories = std::get_if<CategoricalParam>(&hparam.kind);
    if (categories == nullptr) return kNumberBytesMax;
    int64_t longest = 0;
    for (const Value& value : categories->values)
      longest = std::max(longest, OfValue(value, path, plain));
    return longest;
  }

  int64_t OfValue(const Value& value, std::string_view path, bool plain) const {
    const Value* inner = value.FindPath(path);
    return inner == nullptr ? 0 : Bytes(*inner, plain, shell_);
  }

  int64_t Json(const HparamMap& map) const {
    int64_t bytes = 4;
    for (const auto& [name, hparam] : map) {
      const auto* inner = std::get_if<HparamMap>(&hparam.kind);
      bytes += Bytes(QuoteJson(name), shell_) + 2;
      bytes += inner == nullptr ? OfLeaf(hparam, "", false) : Json(*inner);
    }
    return bytes;
  }

  const bool shell_;
};

// Of a word of the entrypoint with the longest values in it.
class WordSizes {
 public:
  explicit WordSizes(const ExperimentSpec& spec)
      : hparams_(spec.hparams), longest_(spec.entrypoint_is_shell) {}

  int64_t Of(std::string_view word) {
    int64_t bytes = 0;
    while (true) {
      const size_t open = word.find(kOpen);
      const size_t close = open == std::string_view::npos ? open : word.find('}', open);
      if (close == std::string_view::npos) return bytes + static_cast<int64_t>(word.size());
      const std::string name(word.substr(open + kOpen.size(), close - open - kOpen.size()));
      const auto [known, added] = known_.emplace(name, 0);
      if (added) known->second = longest_.Of(hparams_, name);
      bytes += static_cast<int64_t>(open) + known->second;
      word.remove_prefix(close + 1);
    }
  }

 private:
  const HparamMap& hparams_;
  const LongestValue longest_;
  std::map<std::string, int64_t> known_;  // a name may stand in thousands of words
};

std::string TooLarge(std::string_view what, int64_t bytes, std::string_view how, int64_t most) {
  return StrCat(what, " ", bytes, " bytes ", how, ", at most ", most, " are allowed");
}

void CheckArguments(const ExperimentSpec& spec, Problems* problems) {
  WordSizes sizes(spec);
  int64_t all = 0;
  for (size_t i = 0; i < spec.entrypoint.size(); ++i) {
    const int64_t bytes = sizes.Of(spec.entrypoint[i]);
    all += bytes;
    if (bytes <= kExecStringBytesMax) continue;
    problems->push_back(
        {.path = spec.entrypoint_is_shell ? "entrypoint" : StrCat("entrypoint[", i, "]"),
         .message = TooLarge("is up to", bytes, "with hyperparameters in it", kExecStringBytesMax),
         .hint = "put it into a script in the model directory"});
    return;
  }
  if (all <= kArgumentsBytesMax) return;
  problems->push_back(
      {.path = "entrypoint",
       .message = TooLarge("is up to", all, "with hyperparameters in it", kArgumentsBytesMax),
       .hint = "put it into a script in the model directory"});
}

void CheckVariables(const std::vector<std::string>& variables,
                    std::string_view kind,
                    Problems* problems) {
  const auto error = [&](std::string message) {
    problems->push_back({.path = "environment.environment_variables",
                         .message = std::move(message),
                         .hint = "put large values into a file of the model directory"});
  };
  int64_t all = 0;
  for (const std::string& variable : variables) {
    const size_t equals = variable.find('=');
    // One without a value is given an empty one.
    const auto bytes =
        static_cast<int64_t>(variable.size()) + (equals == std::string::npos ? 1 : 0);
    all += bytes;
    if (bytes <= kExecStringBytesMax) continue;
    return error(StrCat("has the variable ",
                        QuoteJson(CutUtf8(std::string_view(variable).substr(0, equals), 80)),
                        " of ",
                        bytes,
                        " bytes, at most ",
                        kExecStringBytesMax,
                        " are allowed"));
  }
  if (static_cast<int64_t>(variables.size()) > kEnvironmentVariablesMax)
    return error(StrCat("has ",
                        variables.size(),
                        " variables on ",
                        kind,
                        " slots, at most ",
                        kEnvironmentVariablesMax,
                        " are allowed"));
  if (all > kVariablesBytesMax)
    error(StrCat(
        "has ", all, " bytes on ", kind, " slots, at most ", kVariablesBytesMax, " are allowed"));
}

// Of the variables HP_<PATH>, without their values, which are bounded together. `prefix` is the
// length of the path so far.
int64_t NameBytes(const Value& value, int64_t prefix) {
  if (!value.is_object()) return prefix + kVariableOverhead;
  int64_t bytes = 0;
  for (const auto& [name, member] : value.as_object())
    bytes += NameBytes(member, prefix + 1 + static_cast<int64_t>(name.size()));
  return bytes;
}

int64_t NameBytes(const HparamMap& map, int64_t prefix) {
  int64_t bytes = 0;
  for (const auto& [name, hparam] : map) {
    const int64_t path = prefix + 1 + static_cast<int64_t>(name.size());
    if (const auto* inner = std::get_if<HparamMap>(&hparam.kind)) {
      bytes += NameBytes(*inner, path);
    } else if (const auto* constant = std::get_if<ConstParam>(&hparam.kind)) {
      bytes += NameBytes(constant->value, path);
    } else if (const auto* categories = std::get_if<CategoricalParam>(&hparam.kind)) {
      int64_t most = 0;
      for (const Value& value : categories->values) most = std::max(most, NameBytes(value, path));
      bytes += most;
    } else {
      bytes += path + kVariableOverhead;
    }
  }
  return bytes;
}

}  // namespace

void CheckStart(const ExperimentSpec& spec, Problems* problems) {
  CheckArguments(spec, problems);
  const size_t before = problems->size();
  CheckVariables(spec.environment.cpu, "cpu", problems);
  // One list for all kinds is told of once.
  if (problems->size() == before) CheckVariables(spec.environment.cuda, "cuda", problems);
  if (problems->size() == before) CheckVariables(spec.environment.rocm, "rocm", problems);
  const int64_t names = NameBytes(spec.hparams, 0);
  if (names <= kHparamPathsBytesMax) return;
  problems->push_back({.path = "hyperparameters",
                       .message = TooLarge("has paths of", names, "together", kHparamPathsBytesMax),
                       .hint = "they are variables of the trial's environment: use shorter names"});
}

}  // namespace det::spec
