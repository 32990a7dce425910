#include "cli/format/cell.h"

#include <type_traits>

#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "common/base/overload.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {

Cell TimeCell(int64_t unix_nanos) {
  if (unix_nanos == 0) return {};
  return absl::FromUnixNanos(unix_nanos);
}

Cell IdCell(int64_t id) {
  if (id == 0) return {};
  return id;
}

Cell NumberCell(bool present, double number) {
  if (!present) return {};
  return number;
}

Cell TextCell(std::string text) {
  if (text.empty()) return {};
  return text;
}

std::string ExactText(const Cell& cell) {
  return std::visit(overloaded{[](std::monostate) { return std::string(); },
                               [](const std::string& text) { return text; },
                               [](int64_t number) { return StrCat(number); },
                               [](double number) { return FormatDouble(number); },
                               [](absl::Time time) { return Rfc3339(time); },
                               [](const StateName& state) { return state.name; },
                               [](Fraction fraction) { return FormatDouble(fraction.value); },
                               [](Bytes bytes) { return StrCat(bytes.count); }},
                    cell);
}

std::string PrettyText(const Cell& cell, const Terminal& terminal, absl::Time now) {
  const bool utf8 = terminal.utf8 || !terminal.tty;
  const auto safe = [&](const std::string& text) {
    return EscapeControls(text, Escape::kLine, utf8);
  };
  return std::visit(overloaded{[](std::monostate) { return std::string("-"); },
                               safe,
                               [](int64_t number) { return StrCat(number); },
                               [](double number) { return MetricText(number); },
                               [&](absl::Time time) {
                                 return terminal.tty ? RelativeTime(time, now)
                                                     : Rfc3339Seconds(time);
                               },
                               [&](const StateName& state) { return safe(state.name); },
                               [](Fraction fraction) { return PercentText(fraction.value); },
                               [](Bytes bytes) { return BytesText(bytes.count); }},
                    cell);
}

Style CellStyle(const Cell& cell) {
  const auto* state = std::get_if<StateName>(&cell);
  return state == nullptr ? Style::kPlain : StateStyle(state->name);
}

bool CellLess(const Cell& a, const Cell& b) {
  const bool a_empty = std::holds_alternative<std::monostate>(a);
  const bool b_empty = std::holds_alternative<std::monostate>(b);
  if (a_empty || b_empty) return !a_empty && b_empty;
  if (a.index() != b.index()) return a.index() < b.index();
  return std::visit(
      [&](const auto& left) {
        using T = std::decay_t<decltype(left)>;
        const T& right = std::get<T>(b);
        if constexpr (std::is_same_v<T, StateName>) {
          return left.name < right.name;
        } else if constexpr (std::is_same_v<T, Fraction>) {
          return left.value < right.value;
        } else if constexpr (std::is_same_v<T, Bytes>) {
          return left.count < right.count;
        } else if constexpr (std::is_same_v<T, std::monostate>) {
          return false;
        } else {
          return left < right;
        }
      },
      a);
}

}  // namespace det::cli
