#include "master/catalog/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"

namespace det::catalog {
namespace {

using testing::HasSubstr;

std::string Why(const absl::StatusOr<std::string>& result) {
  return result.ok() ? StrCat("ok: ", *result) : std::string(result.status().message());
}

TEST(Names, OrdinaryNamesPassAndAreTrimmed) {
  for (const char* name : {"Vision", "my team 2", "a", "Übung", "日本語", "α-β", "x.y_z", "Привет"})
    EXPECT_EQ(Why(CheckName("workspace", name)), StrCat("ok: ", name));
  EXPECT_EQ(Why(CheckName("workspace", "  Vision \n")), "ok: Vision");
}

TEST(Names, EachFaultIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "is empty"},
      {" \t", "is empty"},
      {"a/b", "has a slash"},
      {"a\x01z", "U+0001 at byte 2"},
      {"a\x7F", "U+007F"},
      {"abc\xE2\x80\xAEgpj", "U+202E at byte 4"},  // right-to-left override
      {"a\xE2\x80\x8F", "U+200F"},                 // right-to-left mark
      {"a\xE2\x80\x8Bz", "U+200B"},                // of no width
      {"a\xC2\xA0z", "U+00A0"},
      {"a\xF3\xA0\x80\xA0z", "U+0E0020"},  // a tag
      {"a\xFFz", "is no UTF-8 at byte 2"},
      {"a\nb", "U+000A"},
      {std::string(129, 'a'), "129 bytes, at most 128"},
      {std::string(10000, 'a'), "10000 bytes"},
      {std::string("a\0b", 3), "U+0000"},
  };
  for (const auto& [name, why] : cases) {
    const auto result = CheckName("project", name);
    EXPECT_THAT(Why(result), HasSubstr(why));
    EXPECT_EQ(ErrorReason(result.status()), "INVALID_NAME");
    EXPECT_LT(result.status().message().size(), 300U);
  }
}

TEST(Names, UsersHaveNarrowerNames) {
  for (const char* name : {"ann", "Ann.Lee", "a_b", "x@example.org", "u+1", "7"})
    EXPECT_EQ(Why(CheckUserName(name)), StrCat("ok: ", name));
  for (const char* name : {"ann lee", "änn", "-x", "a:b", "a\"b", "everybody", "Everybody"})
    EXPECT_EQ(ErrorReason(CheckUserName(name).status()), "INVALID_NAME") << name;
}

TEST(Names, FoldingKnowsMoreThanAscii) {
  EXPECT_EQ(Fold("VISION"), "vision");
  EXPECT_EQ(Fold("ÜBUNG Ÿ"), "übung ÿ");
  EXPECT_EQ(Fold("ŽŁČ"), "žłč");
  EXPECT_EQ(Fold("ΣΊΣΥΦΟΣ").substr(0, 2), "σ");
  EXPECT_EQ(Fold("ς"), "σ");
  EXPECT_EQ(Fold("ПРИВЕТ Ё"), "привет ё");
  EXPECT_EQ(Fold("日本×"), "日本×");
}

TEST(Names, LabelsKeepCaseAndCollapse) {
  const auto labels = CheckLabels({" b ", "A", "a", "b", "A"});
  ASSERT_TRUE(labels.ok());
  EXPECT_EQ(*labels, (std::vector<std::string>{"A", "a", "b"}));
  EXPECT_FALSE(CheckLabels({" "}).ok());
  EXPECT_FALSE(CheckLabels({std::string(257, 'x')}).ok());
  EXPECT_TRUE(CheckLabels({std::string(256, 'x')}).ok());
}

TEST(Names, NotesHaveLinesAndNothingElseThatIsUnseen) {
  const TextRule notes{.what = "notes", .bytes_max = 100, .lines = true};
  EXPECT_EQ(Why(CheckText(notes, "a\n\tb")), "ok: a\n\tb");
  EXPECT_FALSE(CheckText(notes, "a\x1B[31mb").ok());
  EXPECT_FALSE(CheckText({.what = "name", .bytes_max = 100}, "a\nb").ok());
}

// Whatever comes in: what is accepted is clean, stays the same when checked again, and folds once
// and for all.
RC_GTEST_PROP(NamesProperty, WhatPassesIsClean, (const std::string& text)) {
  const auto name = CheckName("workspace", text);
  if (!name.ok()) {
    RC_ASSERT(ErrorReason(name.status()) == "INVALID_NAME");
    RC_ASSERT(ToUtf8(FromAbsl(name.status().message())) == FromAbsl(name.status().message()));
    return;
  }
  RC_ASSERT(!name->empty() && name->size() <= kNameBytesMax);
  RC_ASSERT(ToUtf8(*name) == *name);
  RC_ASSERT(std::none_of(name->begin(), name->end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/';
  }));
  RC_ASSERT(*CheckName("workspace", *name) == *name);
}

RC_GTEST_PROP(NamesProperty, FoldingTwiceIsFoldingOnce, (const std::string& text)) {
  RC_ASSERT(Fold(Fold(text)) == Fold(text));
}

// Every code point there is: folding is idempotent and stays UTF-8.
TEST(Names, EveryCodePointFoldsOnce) {
  for (uint32_t code = 1; code < 0x3000; ++code) {
    std::string text;
    if (code < 0x80) {
      text = {static_cast<char>(code)};
    } else if (code < 0x800) {
      text = {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
    } else {
      text = {static_cast<char>(0xE0 | (code >> 12)),
              static_cast<char>(0x80 | ((code >> 6) & 0x3F)),
              static_cast<char>(0x80 | (code & 0x3F))};
    }
    const std::string folded = Fold(text);
    EXPECT_EQ(Fold(folded), folded) << code;
    EXPECT_EQ(ToUtf8(folded), folded) << code;
  }
}

}  // namespace
}  // namespace det::catalog
