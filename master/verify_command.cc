#include "master/verify_command.h"

#include <cstdio>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/private_server.h"
#include "master/engine/verify_journal.h"
#include "master/journal/postgres_journal.h"

namespace det::master {

absl::Status VerifyJournalOf(const config::MasterConfig& config) {
  std::unique_ptr<pg::PrivateServer> server;
  std::string conninfo = config.db_url;
  if (conninfo.empty()) {
    const std::string directory = StrCat(config.data_dir, "/postgres");
    DET_ASSIGN_OR_RETURN(conninfo, pg::PrivateServer::ConninfoOf(directory));
    absl::StatusOr<std::unique_ptr<pg::PrivateServer>> started =
        pg::PrivateServer::Start({.directory = directory, .create = false});
    if (started.ok()) {
      server = *std::move(started);
    } else if (ErrorReason(started.status()) != "LOCK_HELD") {
      return started.status();
    }
  }
  journal::PostgresJournal journal(conninfo, "verifier");
  DET_ASSIGN_OR_RETURN(const engine::JournalReport report, engine::VerifyJournal(journal));
  std::printf("events=%lld commits=%lld hash=%016llx ok=%s\n",
              static_cast<long long>(report.events),
              static_cast<long long>(report.commits),
              static_cast<unsigned long long>(report.hash),
              report.broken.empty() ? "true" : "false");
  if (report.broken.empty()) return absl::OkStatus();
  return Error(
      absl::StatusCode::kDataLoss, "JOURNAL_BROKEN", StrCat("the journal: ", report.broken));
}

}  // namespace det::master
