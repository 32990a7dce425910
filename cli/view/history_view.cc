#include "cli/view/history_view.h"

#include "cli/client/client.h"
#include "cli/view/columns.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// "reached the last rung (STOPPED_BY_SEARCH, by searcher)".
std::string WhyText(std::string text, std::string source, const std::string& actor) {
  if (!actor.empty()) StrAppend(source, source.empty() ? "by " : ", by ", actor);
  if (source.empty()) return text;
  return text.empty() ? source : StrCat(text, " (", source, ")");
}

Table HistoryTable(const std::vector<api::Transition>& history) {
  using T = api::Transition;
  static const auto* const columns = new std::vector<ColumnOf<T>>{
      {{.name = "at"}, [](const T& t) { return TimeCell(t.at_unix_nanos()); }},
      {{.name = "what"}, [](const T& t) -> Cell { return StrCat(t.kind(), " ", t.subject()); }},
      {{.name = "state"}, [](const T& t) -> Cell { return StateName{t.to_state()}; }},
      {{.name = "why", .shrinks = true, .wraps = true},
       [](const T& t) { return TextCell(WhyText(t.text(), t.code(), t.actor())); }},
  };
  return MakeTable("at", *columns, history);
}

}  // namespace

std::vector<Section> HistorySections(const std::vector<api::Transition>& history) {
  if (history.empty()) return {};
  return {{"History", HistoryTable(history)}};
}

std::string ReasonText(const api::Reason& reason) {
  return WhyText(reason.text(), reason.code(), reason.actor());
}

}  // namespace det::cli
