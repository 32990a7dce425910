#include "cli/view/checkpoint_view.h"

#include "cli/client/client.h"
#include "cli/view/columns.h"

namespace det::cli {

Table CheckpointTable(const std::vector<api::Checkpoint>& checkpoints) {
  using C = api::Checkpoint;
  static const auto* const columns = new std::vector<ColumnOf<C>>{
      {{"uuid"}, [](const C& c) -> Cell { return c.uuid(); }},
      {{"trial", Align::kRight}, [](const C& c) -> Cell { return int64_t{c.trial()}; }},
      {{"experiment", Align::kRight, Visible::kMachines},
       [](const C& c) -> Cell { return int64_t{c.experiment()}; }},
      {{"steps_completed", Align::kRight},
       [](const C& c) -> Cell { return int64_t{c.steps_completed()}; }},
      {{"metric", Align::kRight},
       [](const C& c) { return NumberCell(c.has_metric(), c.metric()); }},
      {{"bytes", Align::kRight}, [](const C& c) -> Cell { return Bytes{c.bytes()}; }},
      {{.name = "state", .rank = 1}, [](const C& c) -> Cell { return StateName{c.state()}; }},
      {{.name = "reported", .rank = 2},
       [](const C& c) { return TimeCell(c.reported_unix_nanos()); }},
      {{"directory", Align::kLeft, Visible::kMachines},
       [](const C& c) { return TextCell(c.directory()); }},
  };
  return MakeTable("uuid", *columns, checkpoints);
}

}  // namespace det::cli
