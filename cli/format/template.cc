#include "cli/format/template.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

const Document* Member(const Document& document, std::string_view key) {
  if (document.is_map()) {
    for (const auto& [name, value] : document.map()) {
      if (name == key) return &value;
    }
  }
  if (document.is_list()) {
    size_t index = 0;
    const auto result = std::from_chars(key.data(), key.data() + key.size(), index);
    const bool number = result.ec == std::errc() && result.ptr == key.data() + key.size();
    if (number && index < document.list().size()) return &document.list()[index];
  }
  return nullptr;
}

char Escaped(char c) {
  return c == 'n' ? '\n' : c == 't' ? '\t' : c;
}

absl::StatusOr<std::string> FillOne(std::string_view text, const Document& document) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool pair = i + 1 < text.size();
    if (c == '\\' && pair) {
      out.push_back(Escaped(text[++i]));
    } else if ((c == '{' || c == '}') && pair && text[i + 1] == c) {
      out.push_back(text[++i]);
    } else if (c == '{') {
      const size_t end = text.find('}', i);
      if (end == std::string_view::npos) {
        return Error(
            absl::StatusCode::kInvalidArgument,
            "USAGE",
            StrCat("-o template: the brace in ", QuoteJson(text.substr(i)), " is not closed"),
            "write {FIELD}, and {{ for a brace");
      }
      const Document* part = PartOf(document, text.substr(i + 1, end - i - 1));
      if (part != nullptr) out.append(PlainText(*part));
      i = end;
    } else {
      out.push_back(c);
    }
  }
  if (!out.ends_with('\n')) out.push_back('\n');
  return out;
}

// The fields that a template names, and an error where one is known to no item. What stands below
// a field may differ from item to item.
class FieldCheck {
 public:
  explicit FieldCheck(Document::List items) : items_(std::move(items)) {}

  absl::Status Check(std::string_view text) const {
    if (items_.empty() || !items_[0].is_map()) return absl::OkStatus();
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      const bool pair = i + 1 < text.size();
      if (pair && (c == '\\' || ((c == '{' || c == '}') && text[i + 1] == c))) {
        ++i;
      } else if (c == '{') {
        const size_t end = std::min(text.find('}', i), text.size());
        const std::string_view path = text.substr(i + 1, end - i - 1);
        if (!IsKnown(path)) return Unknown(path);
        i = end;
      }
    }
    return absl::OkStatus();
  }

 private:
  bool IsKnown(std::string_view path) const {
    return std::any_of(items_.begin(), items_.end(), [&](const Document& item) {
      return Member(item, path) != nullptr ||
             Member(item, path.substr(0, path.find('.'))) != nullptr;
    });
  }

  absl::Status Unknown(std::string_view path) const {
    std::vector<std::string> names;
    for (const auto& [name, value] : items_[0].map()) names.push_back(name);
    const std::string nearest = Nearest(std::string(path), names);
    return Error(absl::StatusCode::kInvalidArgument,
                 "USAGE",
                 StrCat("-o template: there is no field ", QuoteJson(path)),
                 nearest.empty() ? StrCat("the fields are ", StrJoin(names, ", "))
                                 : StrCat("did you mean ", nearest, "?"));
  }

  const Document::List items_;
};

}  // namespace

const Document* PartOf(const Document& document, std::string_view path) {
  // A key may hold dots itself: the whole rest goes first.
  if (const Document* whole = Member(document, path)) return whole;
  for (size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1)) {
    const Document* member = Member(document, path.substr(0, dot));
    const Document* part = member ? PartOf(*member, path.substr(dot + 1)) : nullptr;
    if (part != nullptr) return part;
  }
  return nullptr;
}

std::string PlainText(const Document& document) {
  if (const std::string* text = document.text()) return *text;
  const std::string json = ToCompactJson(document);
  return json == "null" ? std::string() : json;
}

absl::StatusOr<std::string> FillTemplate(std::string_view text, const Document& document) {
  if (!document.is_list()) {
    DET_RETURN_IF_ERROR(FieldCheck({document}).Check(text));
    return FillOne(text, document);
  }
  DET_RETURN_IF_ERROR(FieldCheck(document.list()).Check(text));
  std::string out;
  for (const Document& item : document.list()) {
    DET_ASSIGN_OR_RETURN(const std::string line, FillOne(text, item));
    out.append(line);
  }
  return out;
}

}  // namespace det::cli
