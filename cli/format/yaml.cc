#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "cli/format/document.h"

namespace det::cli {
namespace {

bool IsLetter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

bool IsPlainChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("_-./ ").find(c) != std::string_view::npos;
}

// Words that one YAML or another reads as no string.
bool IsReserved(std::string_view text) {
  static constexpr std::array<std::string_view, 11> kWords = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "infinity"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

// Few strings stay unquoted: those that no reader can take for anything else. They begin with a
// letter, so numbers, times and all indicators are out.
std::string YamlString(const std::string& text) {
  const bool plain = !text.empty() && IsLetter(text[0]) && text.back() != ' ' &&
                     std::all_of(text.begin(), text.end(), IsPlainChar) && !IsReserved(text);
  return plain ? text : SafeJsonString(text);
}

// YAML 1.1 takes 1e-05 for a string: a float needs its dot.
std::string YamlNumber(double number) {
  std::string text = FormatDouble(number);
  if (!std::isfinite(number)) return SafeJsonString(text);
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

std::string YamlScalar(const Document& document) {
  if (const std::string* text = document.text()) return YamlString(*text);
  if (const double* number = document.number()) return YamlNumber(*number);
  return document.ScalarJson();
}

class YamlPrinter {
 public:
  // `indent` is where a new line of this value begins; the cursor is already there.
  void Print(const Document& document, int indent) {
    if (document.is_list() && !document.list().empty()) {
      PrintList(document.list(), indent);
    } else if (document.is_map() && !document.map().empty()) {
      PrintMap(document.map(), indent);
    } else {
      out_.append(Flow(document)).push_back('\n');
    }
  }
  std::string Take() { return std::move(out_); }

 private:
  static std::string Flow(const Document& document) {
    if (document.is_list()) return "[]";
    if (document.is_map()) return "{}";
    return YamlScalar(document);
  }

  void Indent(bool first, int indent) {
    if (!first) out_.append(static_cast<size_t>(indent), ' ');
  }

  void PrintList(const Document::List& list, int indent) {
    bool first = true;
    for (const Document& item : list) {
      Indent(first, indent);
      first = false;
      out_.append("- ");
      Print(item, indent + 2);
    }
  }

  void PrintMap(const Document::Map& map, int indent) {
    bool first = true;
    for (const auto& [key, value] : map) {
      Indent(first, indent);
      first = false;
      out_.append(YamlString(key)).push_back(':');
      const bool nested =
          (value.is_list() && !value.list().empty()) || (value.is_map() && !value.map().empty());
      if (nested) {
        out_.push_back('\n');
        out_.append(static_cast<size_t>(indent) + 2, ' ');
        Print(value, indent + 2);
      } else {
        out_.push_back(' ');
        Print(value, indent);
      }
    }
  }

  std::string out_;
};

}  // namespace

std::string ToYaml(const Document& document) {
  YamlPrinter printer;
  printer.Print(document, 0);
  return printer.Take();
}

}  // namespace det::cli
