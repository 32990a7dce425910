#include "cli/app/list_options.h"

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/filter/literal.h"
#include "common/filter/parser.h"

namespace det::cli {
namespace {

absl::StatusOr<std::string> SinceFilter(const std::string& since, const std::string& field) {
  if (filter::ParseDuration(since).has_value()) return StrCat(field, " < ", since);
  if (filter::ParseTime(since, absl::UnixEpoch()).has_value()) {
    return StrCat(field, " >= ", QuoteJson(since));
  }
  return UsageError(StrCat("--since: ", QuoteJson(since), " is neither a time nor an age"),
                    "write 2h, 3d, 2026-03-01 or 2026-03-01T12:00:00Z");
}

void AppendKeys(std::string_view text, std::vector<std::string>* keys) {
  while (!text.empty()) {
    const size_t comma = text.find(',');
    if (comma != 0) keys->emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
}

}  // namespace

std::vector<Param> ListParams(ListWords* words, const ListKind& kind) {
  std::vector<Param> params = {
      Option("--filter", "EXPR", &words->filter, StrCat("only those: ", kind.example)),
      Option("--sort",
             "FIELD",
             &words->sort,
             "in this order; FIELD:desc or -FIELD: downwards; several: A,B"),
      Option("--limit", "N", &words->limit, StrCat("at most so many (", kind.limit, ")")),
      Flag("--all", &words->all, "all there are"),
      Hidden(Option("--offset", "N", &words->offset, "without the first N"))};
  if (!kind.since.empty()) {
    params.push_back(Option(
        "--since", "TIME", &words->since, StrCat(kind.since, " since then: 2h, 3d, 2026-03-01")));
  }
  return params;
}

absl::StatusOr<ListAsk> Understand(const ListWords& words, const ListKind& kind) {
  ListAsk ask{.filter = words.filter, .limit = words.limit.value_or(kind.limit)};
  if (words.all && words.limit.has_value()) {
    return UsageError("--all and --limit do not go together");
  }
  if (words.all) ask.limit = INT64_MAX;
  if (ask.limit < 1)
    return UsageError(StrCat("--limit: ", ask.limit, " is less than 1"), "--all shows all");
  ask.offset = words.offset.value_or(0);
  if (ask.offset < 0) return UsageError(StrCat("--offset: ", ask.offset, " is less than 0"));
  for (const std::string& keys : words.sort) AppendKeys(keys, &ask.sort);
  // A slip in the syntax needs no master to be found; fields are the master's to know.
  if (!words.filter.empty()) DET_RETURN_IF_ERROR(filter::Parse(words.filter).status());
  if (words.since.empty()) return ask;
  DET_ASSIGN_OR_RETURN(const std::string since, SinceFilter(words.since, kind.since));
  ask.filter = words.filter.empty() ? since : StrCat("(", words.filter, ") and ", since);
  return ask;
}

void NoteMore(Context& context, size_t shown, bool more) {
  if (more)
    context.Note(StrCat("these are the first ", shown, "; --limit N shows more, --all all"));
}

}  // namespace det::cli
