#include "master/catalog/names.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"
#include "common/base/value.h"

namespace det::catalog {
namespace {

constexpr size_t kShownBytesMax = 60;  // of a name in an error

struct Range {
  uint32_t first;
  uint32_t last;
};

// What nobody sees, or sees as something else (Unicode 15: Cc, Cf, Zl, Zp, Zs but U+0020, private
// use, variation selectors, and letters that are shown as a blank).
constexpr Range kUnseen[] = {
    {0x00, 0x1F},        {0x7F, 0xA0},     {0xAD, 0xAD},     {0x34F, 0x34F},   {0x600, 0x605},
    {0x61C, 0x61C},      {0x6DD, 0x6DD},   {0x70F, 0x70F},   {0x115F, 0x1160}, {0x1680, 0x1680},
    {0x17B4, 0x17B5},    {0x180B, 0x180F}, {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F},
    {0x2800, 0x2800},    {0x3000, 0x3000}, {0x3164, 0x3164}, {0xE000, 0xF8FF}, {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},    {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x1D173, 0x1D17A},
    {0xE0000, 0x10FFFF},
};

bool IsUnseen(uint32_t code) {
  return std::any_of(std::begin(kUnseen), std::end(kUnseen), [code](const Range& range) {
    return code >= range.first && code <= range.last;
  });
}

std::string Hex(uint32_t code) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (int shift = code > 0xFFFF ? 20 : 12; shift >= 0; shift -= 4)
    out += kDigits[(code >> shift) & 0xF];
  return out;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string Shown(std::string_view text) {
  const std::string_view cut = CutUtf8(text, kShownBytesMax);
  return StrCat(QuoteJson(ToUtf8(cut)), cut.size() < text.size() ? "..." : "");
}

absl::Status Invalid(std::string_view reason, std::string_view message, std::string_view hint) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message, hint);
}

// Says what is wrong with the characters of the text; "" when nothing is.
std::string BadCharacter(std::string_view text, bool lines) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = DecodeUtf8(text.substr(at));
    if (!point.valid) return StrCat("is no UTF-8 at byte ", at + 1);
    const bool line = lines && (point.code == '\n' || point.code == '\t' || point.code == '\r');
    if (IsUnseen(point.code) && !line)
      return StrCat("has the invisible character U+", Hex(point.code), " at byte ", at + 1);
    at += point.bytes;
  }
  return "";
}

uint32_t FoldCode(uint32_t c) {
  const auto in = [c](uint32_t first, uint32_t last) { return c >= first && c <= last; };
  if (in('A', 'Z')) return c + 32;
  if (in(0xC0, 0xDE) && c != 0xD7) return c + 32;
  // Pairs, the capital first: even in most of Latin Extended, odd in two stretches of it.
  const bool even = (in(0x100, 0x137) && c != 0x130 && c != 0x131) || in(0x14A, 0x177) ||
                    in(0x1E00, 0x1E95) || in(0x1EA0, 0x1EFF) || in(0x460, 0x481) ||
                    in(0x48A, 0x4BF) || in(0x4D0, 0x52F);
  const bool odd = in(0x139, 0x148) || in(0x179, 0x17E) || in(0x4C1, 0x4CE);
  if (even) return c | 1U;
  if (odd) return c % 2 == 1 ? c + 1 : c;
  if (c == 0x178) return 0xFF;
  if (in(0x391, 0x3AB) && c != 0x3A2) return c + 32;
  if (c == 0x3C2) return 0x3C3;  // the sigma at the end of a word
  if (in(0x400, 0x40F)) return c + 80;
  if (in(0x410, 0x42F)) return c + 32;
  return c;
}

void AppendUtf8(uint32_t code, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | (code >> 6));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

bool IsUserCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._@+-").find(c) != std::string_view::npos;
}

}  // namespace

absl::StatusOr<std::string> CheckText(const TextRule& rule, std::string_view text) {
  const std::string_view trimmed = Trim(text);
  if (trimmed.size() > rule.bytes_max) {
    return Invalid("INVALID_TEXT",
                   StrCat("the ",
                          rule.what,
                          " ",
                          Shown(trimmed),
                          " is ",
                          trimmed.size(),
                          " bytes, at most ",
                          rule.bytes_max,
                          " are allowed"),
                   "make it shorter");
  }
  if (const std::string bad = BadCharacter(trimmed, rule.lines); !bad.empty()) {
    return Invalid("INVALID_TEXT",
                   StrCat("the ", rule.what, " ", Shown(trimmed), " ", bad),
                   "leave that character out");
  }
  return std::string(trimmed);
}

absl::StatusOr<std::string> CheckName(std::string_view what, std::string_view name) {
  const std::string rule = StrCat("name of a ", what);
  const absl::StatusOr<std::string> text =
      CheckText({.what = rule, .bytes_max = kNameBytesMax}, name);
  if (!text.ok())
    return Invalid("INVALID_NAME", FromAbsl(text.status().message()), ErrorHint(text.status()));
  if (text->empty()) return Invalid("INVALID_NAME", StrCat("the ", rule, " is empty"), "");
  if (text->find('/') != std::string::npos) {
    return Invalid("INVALID_NAME",
                   StrCat("the ", rule, " ", Shown(*text), " has a slash"),
                   "a slash parts a workspace from a project: WORKSPACE/PROJECT");
  }
  return *text;
}

absl::StatusOr<std::string> CheckUserName(std::string_view name) {
  DET_ASSIGN_OR_RETURN(std::string checked, CheckName("user", name));
  if (!std::all_of(checked.begin(), checked.end(), IsUserCharacter) || checked.front() == '-') {
    return Invalid("INVALID_NAME",
                   StrCat("the name of a user ",
                          Shown(checked),
                          " has other characters than a-z, "
                          "A-Z, 0-9 and . _ @ + -, or begins with -"),
                   "the display name takes any character: --display-name");
  }
  if (Fold(checked) == "everybody")
    return Invalid("INVALID_NAME", "\"everybody\" stands for all users", "choose another name");
  return checked;
}

std::string Fold(std::string_view name) {
  std::string out;
  for (size_t at = 0; at < name.size();) {
    const CodePoint point = DecodeUtf8(name.substr(at));
    if (point.valid) {
      AppendUtf8(FoldCode(point.code), &out);
    } else {
      out.push_back(name[at]);
    }
    at += point.bytes;
  }
  return out;
}

absl::StatusOr<std::vector<std::string>> CheckLabels(const std::vector<std::string>& labels) {
  std::vector<std::string> checked;
  for (const std::string& label : labels) {
    DET_ASSIGN_OR_RETURN(std::string one,
                         CheckText({.what = "label", .bytes_max = kLabelBytesMax}, label));
    if (one.empty()) return Invalid("INVALID_TEXT", "a label is empty", "");
    checked.push_back(std::move(one));
  }
  std::sort(checked.begin(), checked.end());
  checked.erase(std::unique(checked.begin(), checked.end()), checked.end());
  return checked;
}

}  // namespace det::catalog
