#include "master/config/secrets.h"

#include <algorithm>

#include "common/base/map_reader.h"
#include "common/base/strings.h"
#include "master/spec/parse.h"

namespace det::config {
namespace {

constexpr std::string_view kPaths[] = {
    "checkpoint_storage.access_key",
    "checkpoint_storage.secret_key",
    "checkpoint_storage.connection_string",
    "checkpoint_storage.credential",
    "environment.registry_auth",
    "integrations.pachyderm.dataset.token",
};

// Keys that secrets stand behind.
constexpr std::string_view kNames[] = {"access_key",
                                       "secret_key",
                                       "connection_string",
                                       "credential",
                                       "registry_auth",
                                       "password",
                                       "auth",
                                       "identitytoken",
                                       "registrytoken",
                                       "token"};

// A short one may stand anywhere by chance.
constexpr size_t kTellingBytes = 8;
constexpr int64_t kSecretBytesMax = 16 << 10;

bool IsReference(const Value& value) {
  return value.is_object() &&
         (value.Find("secret") != nullptr || value.Find("environment") != nullptr);
}

// The value at a path of plain keys; nullptr when there is none. Unlike FindPath it can't be led
// astray by keys with dots.
template <class V>
V* Walk(V* value, std::string_view path) {
  while (value != nullptr) {
    if (!value->is_object()) return nullptr;
    const size_t dot = path.find('.');
    const auto found = value->as_object().find(path.substr(0, dot));
    if (found == value->as_object().end()) return nullptr;
    value = &found->second;
    if (dot == std::string_view::npos) return value;
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

bool IsLiteral(const Value* value) {
  return value != nullptr && !value->is_null() && !IsReference(*value);
}

bool IsAuthentication(std::string_view path, const Value& value) {
  return path == "environment.registry_auth" && value.is_object();
}

void AddTexts(const Value& value, std::vector<std::string>* texts) {
  if (value.is_string()) texts->push_back(value.as_string());
  if (value.is_array()) {
    for (const Value& item : value.as_array()) AddTexts(item, texts);
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) AddTexts(item, texts);
  }
}

bool Read(const std::string& text, YamlDocument* document) {
  return ReadYaml(text, {}, document).empty();
}

// Where the scalar that begins at `at` may end: which one is right shows when it is read again.
std::vector<size_t> Ends(std::string_view text, size_t at) {
  const char first = text[at];
  std::vector<size_t> ends;
  if (first == '"' || first == '\'') {
    for (size_t i = at + 1; i < text.size() && ends.size() < 16; ++i) {
      if (text[i] == first) ends.push_back(i + 1);
    }
    return ends;
  }
  for (const std::string_view stops : {",}]\n", "\n"}) {
    const size_t end = std::min(text.find_first_of(stops, at), text.size());
    const size_t comment = std::min(text.find(" #", at), text.size());
    size_t begin_of_blanks = std::min(end, comment);
    while (begin_of_blanks > at && text[begin_of_blanks - 1] == ' ') --begin_of_blanks;
    ends.push_back(begin_of_blanks);
  }
  return ends;
}

// The text with asterisks at one place; "" when that is not possible.
std::string Replaced(const std::string& text, const std::string& path) {
  YamlDocument document;
  if (!Read(text, &document)) return "";
  Value expected = document.value();
  *Walk(&expected, path) = kHidden;
  const std::optional<size_t> at = document.Offset(path);
  if (!at.has_value() || *at >= text.size()) return "";
  const size_t mark = text.size() - document.text().size();  // of the order of bytes
  for (const size_t end : Ends(text, *at + mark)) {
    const std::string changed =
        StrCat(text.substr(0, *at + mark), "\"", kHidden, "\"", text.substr(end));
    YamlDocument again;
    if (Read(changed, &again) && again.value() == expected) return changed;
  }
  return "";
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// How far the name at `at` and what parts it from its value go; 0: no such name is there.
size_t NameEnd(std::string_view text, size_t at) {
  if (at > 0 && IsNameByte(text[at - 1])) return 0;
  for (const std::string_view name : kNames) {
    if (!text.substr(at).starts_with(name)) continue;
    size_t end = at + name.size();
    if (end < text.size() && (text[end] == '"' || text[end] == '\'')) ++end;
    while (end < text.size() && text[end] == ' ') ++end;
    if (end < text.size() && (text[end] == ':' || text[end] == '=')) return end + 1;
  }
  return 0;
}

}  // namespace

std::vector<std::string> LiteralSecrets(const Value& config) {
  std::vector<std::string> paths;
  for (const std::string_view path : kPaths) {
    if (IsLiteral(Walk(&config, path))) paths.emplace_back(path);
  }
  return paths;
}

std::vector<TakenSecret> TakeSecrets(std::string_view prefix, Value* config) {
  std::vector<TakenSecret> taken;
  for (std::string& path : LiteralSecrets(*config)) {
    Value& value = *Walk(config, path);
    // What is no text at all is left to the parser, which refuses it.
    const bool text_wanted = path != "environment.registry_auth";
    if (text_wanted ? !value.is_string() && !value.is_int() : !value.is_object()) continue;
    std::string text = value.is_string() ? value.as_string() : value.ToJson();
    std::string name = StrCat(prefix, "-", taken.size() + 1);
    value = Value();
    value["secret"] = name;
    taken.push_back({std::move(name), std::move(path), Secret(std::move(text))});
  }
  return taken;
}

void CheckSecrets(const Value& config, Problems* problems) {
  for (const std::string& path : LiteralSecrets(config)) {
    const Value& value = *Walk(&config, path);
    std::vector<std::string> texts;
    AddTexts(value, &texts);
    if (std::find(texts.begin(), texts.end(), kHidden) != texts.end()) {
      problems->push_back({.path = path,
                           .message = "has asterisks, which stand for a secret that was hidden",
                           .hint = "write the secret, or {secret: NAME}"});
    }
    if (!IsAuthentication(path, value)) continue;
    MapReader reader(value, path, problems);
    std::string text;
    for (const char* key : {"username",
                            "password",
                            "auth",
                            "email",
                            "serveraddress",
                            "identitytoken",
                            "registrytoken"}) {
      reader.String(key, kSecretBytesMax, &text);
    }
    reader.Finish();
  }
}

std::vector<std::string> SecretNames(const spec::ExperimentSpec& spec) {
  const Value config = spec::ToValue(spec);
  std::vector<std::string> names;
  for (const std::string_view path : kPaths) {
    const Value* ref = Walk(&config, path);
    const Value* name = ref == nullptr ? nullptr : ref->Find("secret");
    if (name != nullptr && name->is_string()) names.push_back(name->as_string());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string HideSecrets(const std::string& text) {
  YamlDocument document;
  if (!Read(text, &document)) return HideByName(text);
  const std::vector<std::string> paths = LiteralSecrets(document.value());
  if (paths.empty()) return text;
  Value hidden = document.value();
  std::vector<std::string> secrets;
  std::string out = text;
  for (const std::string& path : paths) {
    AddTexts(*Walk(&hidden, path), &secrets);
    *Walk(&hidden, path) = kHidden;
    if (!out.empty()) out = Replaced(out, path);
  }
  // In a comment, or in what an anchor names.
  const bool left = std::any_of(secrets.begin(), secrets.end(), [&](const std::string& secret) {
    return secret.size() >= kTellingBytes && secret != kHidden &&
           out.find(secret) != std::string::npos;
  });
  return out.empty() || left ? hidden.ToPrettyJson() : out;
}

std::string HideByName(std::string_view text) {
  std::string out;
  bool hide = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = hide ? 0 : NameEnd(text, at);
    if (end > 0) {
      out.append(text.substr(at, end - at));
      at = end;
      hide = true;
      continue;
    }
    if (text[at] == '\n') hide = false;
    const bool shown = !hide || text[at] == '\n' || text[at] == ' ';
    out.push_back(shown ? text[at] : '*');
    ++at;
  }
  return out;
}

}  // namespace det::config
