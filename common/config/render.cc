#include "common/config/render.h"

#include <algorithm>
#include <optional>

#include "common/base/strings.h"
#include "common/base/utf8.h"

namespace det {
namespace {

constexpr size_t kNameCharactersMax = 200;
constexpr size_t kMessageCharactersMax = 400;
// Of a line that is too long to show: this much before the caret, and in all.
constexpr size_t kBeforeCaretMax = 60;
constexpr size_t kExcerptCharactersMax = 96;
constexpr size_t kLineNumberWidth = 5;

bool IsBetween(uint32_t code, uint32_t first, uint32_t last) {
  return code >= first && code <= last;
}

// What a terminal would act on instead of showing: control characters, and the marks that reorder
// what is around them.
bool IsHidden(const CodePoint& point) {
  return !point.valid || point.code < 0x20 || IsBetween(point.code, 0x7F, 0x9F) ||
         IsBetween(point.code, 0x200B, 0x200F) || IsBetween(point.code, 0x2028, 0x202E) ||
         IsBetween(point.code, 0x2066, 0x2069) || point.code == 0xFEFF;
}

// Columns on a terminal, as far as the common scripts go.
size_t Width(uint32_t code) {
  if (IsBetween(code, 0x0300, 0x036F) || IsBetween(code, 0xFE00, 0xFE0F)) return 0;
  const bool wide = IsBetween(code, 0x1100, 0x115F) || IsBetween(code, 0x2E80, 0xA4CF) ||
                    IsBetween(code, 0xAC00, 0xD7A3) || IsBetween(code, 0xF900, 0xFAFF) ||
                    IsBetween(code, 0xFE30, 0xFE6F) || IsBetween(code, 0xFF00, 0xFF60) ||
                    IsBetween(code, 0xFFE0, 0xFFE6) || IsBetween(code, 0x1F300, 0x1F64F) ||
                    IsBetween(code, 0x1F900, 0x1F9FF) || IsBetween(code, 0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

// Prints one character; returns its width.
size_t Put(const CodePoint& point, std::string_view bytes, std::string& out) {
  if (!IsHidden(point)) {
    out.append(bytes);
    return Width(point.code);
  }
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : bytes) {
    out.append("\\x");
    out.push_back(kHex[(static_cast<uint8_t>(c) >> 4) & 15]);
    out.push_back(kHex[static_cast<uint8_t>(c) & 15]);
  }
  return bytes.size() * 4;
}

// The line with this number, without its end.
std::optional<std::string_view> FindLine(std::string_view text, int number) {
  if (number < 1) return std::nullopt;
  for (int line = 1; line < number; ++line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// Where the character number `index` begins, or the end of the line.
size_t ByteOfCharacter(std::string_view line, size_t index) {
  size_t at = 0;
  for (size_t i = 0; i < index && at < line.size(); ++i) at += DecodeUtf8(line.substr(at)).bytes;
  return at;
}

struct Excerpt {
  std::string shown;
  std::string under;  // as wide as what is shown before the caret
};

// The line, or the part of it around the character number `column` (from 0).
Excerpt CutAround(std::string_view line, size_t column) {
  const bool fits = ByteOfCharacter(line, kExcerptCharactersMax) == line.size();
  const size_t first = fits || column <= kBeforeCaretMax ? 0 : column - kBeforeCaretMax;
  Excerpt excerpt{.shown = first == 0 ? "" : "..."};
  excerpt.under.append(excerpt.shown.size(), ' ');
  size_t at = ByteOfCharacter(line, first);
  for (size_t i = first; at < line.size() && i < first + kExcerptCharactersMax; ++i) {
    const CodePoint point = DecodeUtf8(line.substr(at));
    // A tab stays a tab in both lines: then they are aligned whatever the tab stops are.
    const bool tab = point.code == '\t';
    const size_t width = tab ? 1 : Put(point, line.substr(at, point.bytes), excerpt.shown);
    if (tab) excerpt.shown.push_back('\t');
    if (i < column) excerpt.under.append(width, tab ? '\t' : ' ');
    at += point.bytes;
  }
  if (at < line.size()) excerpt.shown.append("...");
  return excerpt;
}

void AppendExcerpt(std::string_view line, const TextMark& mark, std::string& out) {
  const Excerpt excerpt = CutAround(line, static_cast<size_t>(std::max(mark.column, 1) - 1));
  const std::string number = StrCat(mark.line);
  const size_t width = std::max(kLineNumberWidth, number.size());
  out.append(width - number.size(), ' ');
  StrAppend(out, number, " | ", excerpt.shown, "\n");
  out.append(width, ' ');
  StrAppend(out, " | ", excerpt.under, "^\n");
}

}  // namespace

std::string Printable(std::string_view text, size_t characters_max) {
  std::string out;
  size_t at = 0;
  for (size_t count = 0; at < text.size(); ++count) {
    if (count == characters_max) return out + "...";
    const CodePoint point = DecodeUtf8(text.substr(at));
    Put(point, text.substr(at, point.bytes), out);
    at += point.bytes;
  }
  return out;
}

std::string RenderProblem(std::string_view name,
                          std::string_view text,
                          const TextProblem& problem) {
  std::string out = Printable(name, kNameCharactersMax);
  if (problem.mark.line > 0) StrAppend(out, ":", problem.mark.line, ":", problem.mark.column);
  StrAppend(out, problem.warning ? ": warning: " : ": error: ");
  StrAppend(out, Printable(problem.message, kMessageCharactersMax), "\n");
  if (const auto line = FindLine(text, problem.mark.line)) AppendExcerpt(*line, problem.mark, out);
  if (!problem.hint.empty()) {
    StrAppend(out, "hint: ", Printable(problem.hint, kMessageCharactersMax), "\n");
  }
  out.pop_back();
  return out;
}

}  // namespace det
