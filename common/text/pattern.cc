#include "common/text/pattern.h"

#include <re2/re2.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"

namespace det {
namespace {

constexpr int64_t kMemoryMax = int64_t{4} << 20;
constexpr size_t kShownMax = 60;  // bytes of the expression, on either side of the fault

absl::Status Invalid(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_PATTERN",
               message,
               "patterns are regular expressions in RE2's syntax: \"loss=\\d+\", \"(?i)error\"");
}

// RE2 names the part at fault. One without an end begins where it is named first, another ends
// where the reading stopped, which is where it is named last.
size_t FaultAt(std::string_view text, const re2::RE2& re) {
  const std::string_view part = re.error_arg();
  if (part.empty()) return text.empty() ? 0 : text.size() - 1;
  const size_t at =
      re.error_code() == re2::RE2::ErrorMissingParen ? text.find(part) : text.rfind(part);
  return at == std::string_view::npos ? 0 : at;
}

std::string WithCaret(std::string_view text, size_t at) {
  const size_t from = at > kShownMax ? at - kShownMax : 0;
  std::string shown = ToUtf8(text.substr(from, 2 * kShownMax));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  const std::string before = ToUtf8(text.substr(from, at - from));
  size_t columns = 0;
  for (const char c : before) columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return StrCat("  ", shown, "\n  ", std::string(columns, ' '), "^");
}

}  // namespace

absl::StatusOr<Pattern> Pattern::Compile(std::string_view text, Options options) {
  if (text.size() > kBytesMax) {
    return Invalid(
        StrCat("the pattern has ", text.size(), " bytes, at most ", kBytesMax, " are allowed"));
  }
  re2::RE2::Options wanted(re2::RE2::Latin1);
  // Text that is UTF-8 itself names characters; what it is matched with may be any bytes.
  if (ToUtf8(text) == text) wanted.set_encoding(re2::RE2::Options::EncodingUTF8);
  wanted.set_log_errors(false);
  wanted.set_max_mem(kMemoryMax);
  wanted.set_case_sensitive(!options.ignore_case);
  auto re = std::make_shared<re2::RE2>(re2::StringPiece(text.data(), text.size()), wanted);
  if (re->ok()) return Pattern(std::move(re));
  const size_t at = FaultAt(text, *re);
  return Invalid(StrCat("the pattern is no regular expression, at byte ",
                        at + 1,
                        ": ",
                        re->error(),
                        "\n",
                        WithCaret(text, at)));
}

bool Pattern::FoundIn(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *re_);
}

}  // namespace det
