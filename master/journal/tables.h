#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/value.h"

// The projections: ordinary tables that follow the journal, written in its own transactions, that
// people may query with SQL. Their columns are in store/migrations.
namespace det::journal {

enum class Table {
  kExperiments,
  kSubmissions,  // of an experiment, large
  kConfigs,      // of a submission, the configuration that was changed since
  kTrials,
  kAllocations,
  kCheckpoints,
  kAgents,
  kTransitions,
  kEnded,  // what is needed to continue an experiment that ended
};
inline constexpr size_t kTables = 9;

struct TableShape {
  std::string_view name;
  std::string_view key;                   // the columns that name a row, with commas
  std::vector<std::string_view> columns;  // all that are written here
  // Of these, those that a row is made with and people edit afterwards (master/catalog): a later
  // row of the same key leaves them alone.
  std::vector<std::string_view> insert_only = {};
};

const TableShape& ShapeOf(Table table);

// The row as it is now: replaces the one with its key. One member a column.
struct Row {
  Table table = Table::kExperiments;
  Value values;
};

// The key's values as text: two rows of a table with equal keys are one.
std::string KeyOf(const Row& row);

}  // namespace det::journal
