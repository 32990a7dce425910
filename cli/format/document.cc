#include "cli/format/document.h"

#include <cmath>

#include "cli/format/escape.h"
#include "common/base/check.h"
#include "common/base/overload.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct JsonPrinter {
  bool pretty = false;
  std::string out;

  void Newline(int indent) {
    if (!pretty) return;
    out.push_back('\n');
    out.append(static_cast<size_t>(indent) * 2, ' ');
  }

  void Print(const Document& document, int indent) {
    if (document.is_list()) {
      PrintList(document.list(), indent);
    } else if (document.is_map()) {
      PrintMap(document.map(), indent);
    } else {
      out.append(document.ScalarJson());
    }
  }

  void PrintList(const Document::List& list, int indent) {
    out.push_back('[');
    for (size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out.push_back(',');
      Newline(indent + 1);
      Print(list[i], indent + 1);
    }
    if (!list.empty()) Newline(indent);
    out.push_back(']');
  }

  void PrintMap(const Document::Map& map, int indent) {
    out.push_back('{');
    for (size_t i = 0; i < map.size(); ++i) {
      if (i > 0) out.push_back(',');
      Newline(indent + 1);
      out.append(SafeJsonString(map[i].first)).append(pretty ? ": " : ":");
      Print(map[i].second, indent + 1);
    }
    if (!map.empty()) Newline(indent);
    out.push_back('}');
  }
};

}  // namespace

std::string SafeJsonString(std::string_view text) {
  const std::string quoted = QuoteJson(ToValidUtf8(text));
  // What is left to escape is beyond ASCII; EscapeControls writes it as JSON does: \u0085.
  return EscapeControls(quoted, Escape::kLine);
}

Document Document::FromValue(const Value& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_int()) return value.as_int();
  if (value.is_double()) return value.as_double();
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    List list;
    for (const Value& item : value.as_array()) list.push_back(FromValue(item));
    return list;
  }
  if (value.is_object()) {
    Map map;
    for (const auto& [key, member] : value.as_object()) map.emplace_back(key, FromValue(member));
    return map;
  }
  return {};
}

Document& Document::Add(std::string_view key, Document value) {
  if (std::holds_alternative<std::monostate>(data_)) data_ = Map();
  std::get<Map>(data_).emplace_back(std::string(key), std::move(value));
  return *this;
}

std::string Document::ScalarJson() const {
  return std::visit(overloaded{[](std::monostate) { return std::string("null"); },
                               [](bool value) { return std::string(value ? "true" : "false"); },
                               [](int64_t value) { return StrCat(value); },
                               [](double value) {
                                 const std::string digits = FormatDouble(value);
                                 return std::isfinite(value) ? digits : QuoteJson(digits);
                               },
                               [](const std::string& value) { return SafeJsonString(value); },
                               [](const auto&) {
                                 DET_CHECK(false, "a list or map is no scalar");
                                 return std::string();
                               }},
                    data_);
}

std::string ToPrettyJson(const Document& document) {
  JsonPrinter printer{.pretty = true};
  printer.Print(document, 0);
  printer.out.push_back('\n');
  return std::move(printer.out);
}

std::string ToCompactJson(const Document& document) {
  JsonPrinter printer;
  printer.Print(document, 0);
  return std::move(printer.out);
}

}  // namespace det::cli
