#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/format/table.h"

namespace det::cli {

// A column of a table of messages: its heading, and what it shows of each.
template <class Message>
struct ColumnOf {
  Column column;
  std::function<Cell(const Message&)> cell;
};

template <class Message, class Range>
Table MakeTable(std::string key,
                const std::vector<ColumnOf<Message>>& columns,
                const Range& messages) {
  Table table{.key = std::move(key)};
  for (const auto& column : columns) table.columns.push_back(column.column);
  for (const Message& message : messages) {
    std::vector<Cell> row;
    for (const auto& column : columns) row.push_back(column.cell(message));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace det::cli
