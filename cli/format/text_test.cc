#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "cli/format/style.h"
#include "cli/format/width.h"

namespace det::cli {
namespace {

// Bytes as they may come from anywhere, with more controls and UTF-8 than chance would bring.
std::string HostileText() {
  return *rc::gen::apply(
      [](const std::vector<std::string>& parts) {
        std::string text;
        for (const std::string& part : parts) text.append(part);
        return text;
      },
      rc::gen::container<std::vector<std::string>>(
          rc::gen::oneOf(rc::gen::arbitrary<std::string>(),
                         rc::gen::element<std::string>("\x1b[2J",
                                                       "\u009b31m",
                                                       "\x9b",
                                                       "日本",
                                                       "e\u0301",
                                                       "\u202e",
                                                       "😀",
                                                       "\r\n",
                                                       "\t",
                                                       "\xc3",
                                                       "\xed\xa0\x80"))));
}

bool HasControls(std::string_view text, std::string_view allowed) {
  while (!text.empty()) {
    const Decoded at = DecodeUtf8(text);
    const bool control = !at.valid || at.code < 0x20 || (at.code >= 0x7f && at.code <= 0x9f) ||
                         (at.code >= 0x202a && at.code <= 0x202e);
    if (control && allowed.find(text[0]) == std::string_view::npos) return true;
    text.remove_prefix(at.bytes);
  }
  return false;
}

TEST(WidthTest, CountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("日本語"), 6);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("😀"), 2);
  EXPECT_EQ(DisplayWidth("한국"), 4);
  EXPECT_EQ(DisplayWidth("ж"), 1);
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2);
  EXPECT_EQ(DisplayWidth(""), 0);
}

TEST(WidthTest, RejectsWhatIsNoUtf8) {
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"}) {
    EXPECT_FALSE(DecodeUtf8(bad).valid) << bad;
    EXPECT_EQ(DecodeUtf8(bad).bytes, 1U);
  }
  EXPECT_EQ(DecodeUtf8("\xf4\x8f\xbf\xbf").code, U'\U0010ffff');
}

TEST(WidthTest, Truncates) {
  EXPECT_EQ(Truncate("abcdef", 6, true), "abcdef");
  EXPECT_EQ(Truncate("abcdef", 4, true), "abc\u2026");
  EXPECT_EQ(Truncate("abcdef", 4, false), "ab..");
  EXPECT_EQ(Truncate("日本語", 4, true), "日\u2026");
  EXPECT_EQ(Truncate("abc", 1, false), ".");
  EXPECT_EQ(Truncate("abc", 0, true), "");
}

TEST(WidthTest, Pads) {
  EXPECT_EQ(PadRight("日", 4), "日  ");
  EXPECT_EQ(PadLeft("7", 3), "  7");
  EXPECT_EQ(PadLeft("1234", 3), "1234");
}

RC_GTEST_PROP(WidthProperty, TruncationFitsAndRoundTrips, ()) {
  const std::string text = HostileText();
  const int width = *rc::gen::inRange(0, 40);
  RC_ASSERT(DisplayWidth(Truncate(text, width, true)) <= width);
  RC_ASSERT(DisplayWidth(Truncate(text, width, false)) <= width);
  const auto code = *rc::gen::distinctFrom(rc::gen::inRange<uint32_t>(0x20, 0xd800), 0x7fU);
  std::string encoded;
  AppendUtf8(encoded, static_cast<char32_t>(code));
  RC_ASSERT(DecodeUtf8(encoded).valid);
  RC_ASSERT(DecodeUtf8(encoded).code == static_cast<char32_t>(code));
}

TEST(EscapeTest, NamesWhatItHides) {
  EXPECT_EQ(EscapeControls("a\x1b[31mb", Escape::kLine), "a\\x1b[31mb");
  EXPECT_EQ(EscapeControls("a\nb\tc\r", Escape::kLine), "a\\nb\\tc\\r");
  EXPECT_EQ(EscapeControls("a\nb\tc", Escape::kLog), "a\\nb\tc");
  EXPECT_EQ(EscapeControls("a\nb\tc", Escape::kProse), "a\nb\tc");
  EXPECT_EQ(EscapeControls("\u009b31m", Escape::kLog), "\\u009b31m");
  EXPECT_EQ(EscapeControls("\x9b", Escape::kLog), "\\x9b");
  EXPECT_EQ(EscapeControls("x\u202ey", Escape::kLine), "x\\u202ey");
  EXPECT_EQ(EscapeControls("Grüße 日本", Escape::kLine), "Grüße 日本");
  EXPECT_EQ(EscapeControls("ě😀", Escape::kLine, false), "\\u011b\\U0001f600");
}

RC_GTEST_PROP(EscapeProperty, NothingReachesTheTerminal, ()) {
  const std::string text = HostileText();
  RC_ASSERT(!HasControls(EscapeControls(text, Escape::kLine), ""));
  RC_ASSERT(!HasControls(EscapeControls(text, Escape::kLog), "\t"));
  RC_ASSERT(!HasControls(EscapeControls(text, Escape::kProse), "\t\n"));
  for (const char c : EscapeControls(text, Escape::kLine, false)) RC_ASSERT(c >= 0x20 && c < 0x7f);
}

RC_GTEST_PROP(EscapeProperty, ValidTextIsLeftAlone, ()) {
  const std::string valid = ToValidUtf8(HostileText());
  RC_ASSERT(ToValidUtf8(valid) == valid);
  for (std::string_view rest = valid; !rest.empty();) {
    const Decoded at = DecodeUtf8(rest);
    RC_ASSERT(at.valid);
    rest.remove_prefix(at.bytes);
  }
}

TEST(QuantityTest, Times) {
  const absl::Time time = absl::FromUnixNanos(1'772'366'400'123'000'000);
  EXPECT_EQ(Rfc3339(time), "2026-03-01T12:00:00.123Z");
  EXPECT_EQ(Rfc3339(absl::FromUnixSeconds(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(Rfc3339Seconds(time), "2026-03-01T12:00:00Z");
  EXPECT_EQ(Rfc3339Millis(absl::FromUnixSeconds(1)), "1970-01-01T00:00:01.000Z");
  EXPECT_EQ(RelativeTime(time, time + absl::Seconds(59)), "59s ago");
  EXPECT_EQ(RelativeTime(time, time + absl::Minutes(59)), "59m ago");
  EXPECT_EQ(RelativeTime(time, time + absl::Hours(47)), "47h ago");
  EXPECT_EQ(RelativeTime(time, time + absl::Hours(72)), "3d ago");
  EXPECT_EQ(RelativeTime(time, time - absl::Hours(1)), "now");
}

TEST(QuantityTest, Durations) {
  EXPECT_EQ(DurationText(absl::Seconds(59)), "59s");
  EXPECT_EQ(DurationText(absl::Seconds(61)), "1m01s");
  EXPECT_EQ(DurationText(absl::Hours(3) + absl::Minutes(5)), "3h05m");
  EXPECT_EQ(DurationText(absl::Hours(52)), "2d04h");
  EXPECT_EQ(DurationText(-absl::Seconds(5)), "0s");
}

TEST(QuantityTest, Numbers) {
  EXPECT_EQ(MetricText(0.97312345), "0.973123");
  EXPECT_EQ(MetricText(100), "100");
  EXPECT_EQ(MetricText(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(BytesText((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(PercentText(0.999), "99%");
  EXPECT_EQ(PercentText(0.29), "29%");
  EXPECT_EQ(PercentText(7), "100%");
  EXPECT_EQ(PercentText(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(Count(1, "trial"), "1 trial");
  EXPECT_EQ(Count(2, "trial"), "2 trials");
}

TEST(StyleTest, PaintsOnlyInColor) {
  EXPECT_EQ(Paint("x", Style::kRed, true), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(Paint("x", Style::kRed, false), "x");
  EXPECT_EQ(Paint("x", Style::kPlain, true), "x");
  EXPECT_EQ(StateStyle("STOPPING_CANCELED"), Style::kYellow);
  EXPECT_EQ(StateStyle("A_NEW_ONE"), Style::kPlain);
}

}  // namespace
}  // namespace det::cli
