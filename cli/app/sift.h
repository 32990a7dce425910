#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/app/context.h"
#include "cli/app/exit_code.h"
#include "cli/app/list_options.h"
#include "cli/format/report.h"

namespace det::cli {

// Filters, sorts and cuts a list that is here as a whole, by the grammar by which the master does
// it for its own: fields are the columns of the table, whose rows are the items of the document.
// `*more` becomes true where the limit leaves some out. Errors: INVALID_ARGUMENT (reason BAD_FILTER
// or BAD_SORT).
absl::Status Sift(const ListAsk& ask, absl::Time now, Report* report, bool* more);

// Shows what is left of it, and says where there is more: `more` of what was fetched, too.
absl::StatusOr<ExitCode> ShowSifted(Context& context, Report report, const ListAsk& ask, bool more);

// Whether Sift has to see all there are.
inline bool NeedsAll(const ListAsk& ask) {
  return !ask.filter.empty() || !ask.sort.empty();
}

}  // namespace det::cli
