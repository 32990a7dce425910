#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/filter/field.h"
#include "master/store/read_store.h"

// What lists can be filtered and sorted by: the names of the fields, which are those that the CLI
// shows, their columns, and where they are in a row that was read.
namespace det::store {

template <class Row>
struct RowField {
  filter::Field field;
  filter::Datum (*of)(const Row&);
};

// Fields of one kind of row, as the filters want them.
template <class Row>
class ListFields {
 public:
  ListFields(std::string what, std::vector<RowField<Row>> fields)
      : fields_(std::move(fields)), table_(std::move(what), Bare(fields_)) {}

  const filter::FieldTable& table() const { return table_; }
  // The row, which has to outlive the record.
  filter::Record RecordOf(const Row& row) const {
    return [this, &row](const filter::Field& field) {
      return fields_[static_cast<size_t>(&field - table_.fields().data())].of(row);
    };
  }

 private:
  static std::vector<filter::Field> Bare(const std::vector<RowField<Row>>& fields) {
    std::vector<filter::Field> bare;
    for (const auto& field : fields) bare.push_back(field.field);
    return bare;
  }

  std::vector<RowField<Row>> fields_;
  filter::FieldTable table_;
};

const ListFields<ExperimentRow>& ExperimentFields();
const ListFields<TrialRow>& TrialFields();
const ListFields<CheckpointRow>& CheckpointFields();

}  // namespace det::store
