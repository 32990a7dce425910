#include "cli/cmd/ids.h"

#include <algorithm>
#include <charconv>

#include "cli/base/cause.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {

absl::StatusOr<int64_t> ParseId(const std::string& text, char letter, const std::string& what) {
  const std::string_view digits =
      std::string_view(text).substr(!text.empty() && text[0] == letter ? 1 : 0);
  int64_t id = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, id);
  if (digits.empty() || result.ec != std::errc() || result.ptr != end || id < 1) {
    return UsageError(StrCat(QuoteJson(text), " is no id of a", what[0] == 'e' ? "n " : " ", what),
                      StrCat("ids are numbers from 1: 7 or ", std::string(1, letter), "7"));
  }
  return id;
}

std::vector<std::string> SplitIds(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

absl::StatusOr<std::vector<int64_t>> ParseIds(const std::vector<std::string>& texts,
                                              char letter,
                                              const std::string& what) {
  std::vector<int64_t> ids;
  for (const std::string& text : texts) {
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(text, letter, what));
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ids;
}

absl::StatusOr<std::string> ParseCheckpoint(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return text;
  DET_ASSIGN_OR_RETURN(const int64_t trial, ParseId(text.substr(0, slash), 't', "trial"));
  return StrCat(trial, text.substr(slash));
}

absl::Status CheckPositive(const std::string& option, int64_t value) {
  if (value >= 1) return absl::OkStatus();
  return UsageError(StrCat(option, ": ", value, " is less than 1"));
}

}  // namespace det::cli
