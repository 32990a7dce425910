#include "master/ingest/log_rows.h"

#include "common/base/strings.h"
#include "common/pg/binary_copy.h"
#include "common/pg/pg.h"
#include "master/ingest/limits.h"
#include "master/ingest/log_level.h"

namespace det::ingest {
namespace {

// Less than the shortest period, of which there is always one ahead.
constexpr absl::Duration kPartitionsKnown = absl::Hours(12);

constexpr char kColumns[] =
    "trial_id, allocation_id, rank, seq, source, partial, dropped, line, at, received_at, level, "
    "retention";
constexpr int kColumnCount = 12;

std::string TextOf(const Note& note) {
  const std::string_view why = CutUtf8(note.why, kNoteBytesMax);
  if (note.records == 1) return StrCat("det: record ", note.first, " was not taken: ", why);
  return StrCat(
      "det: ", note.records, " records were not taken; the first, ", note.first, ": ", why);
}

}  // namespace

void LogPartitions::Ensure(pqxx::work& tx, int64_t retention, absl::Time now) {
  const auto at = until_.find(retention);
  if (at != until_.end() && now < at->second) return;
  tx.exec_params("SELECT det_ensure_log_partitions($1::integer, $2::timestamptz)",
                 retention,
                 pg::Timestamp(now));
  until_[retention] = now + kPartitionsKnown;
}

void CopyLines(pqxx::work& tx, const std::vector<AcceptedLine>& lines, absl::Time now) {
  if (lines.empty()) return;
  pg::BinaryCopy out(tx, "task_logs", kColumns);
  for (const auto& [shipment, record, retention] : lines) {
    out.Row(kColumnCount);
    out.Int8(shipment->trial.value());
    out.Int8(shipment->allocation.value());
    out.Int4(static_cast<int32_t>(shipment->rank));
    out.Int8(record->seq);
    out.Int4(static_cast<int32_t>(record->source));
    out.Bool(record->partial);
    out.Int8(record->dropped);
    out.Bytes(record->text);
    out.Timestamp(record->at);
    out.Timestamp(now);
    out.Int2(static_cast<int16_t>(LevelOf(record->text)));
    out.Int2(static_cast<int16_t>(retention));
  }
  out.Finish();
}

void StoreNotes(pqxx::work& tx, const std::vector<Note>& notes, absl::Time now) {
  if (notes.empty()) return;
  std::vector<int64_t> trials, allocations, ranks, retentions;
  std::vector<std::string> lines;
  for (const Note& note : notes) {
    trials.push_back(note.shipment->trial.value());
    allocations.push_back(note.shipment->allocation.value());
    ranks.push_back(note.shipment->rank);
    retentions.push_back(note.retention);
    lines.push_back(TextOf(note));
  }
  // A part's notes are counted in its stream's row, which is there from the first of them on.
  tx.exec_params(
      "WITH n AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bytea[], "
      "$5::smallint[]) WITH ORDINALITY AS n(t, a, r, line, retention, place)), "
      "counted AS (INSERT INTO streams AS s (allocation_id, rank, stream, high_seq, notes) "
      "SELECT a, r, $6::integer, 0, count(*) FROM n GROUP BY a, r "
      "ON CONFLICT (allocation_id, rank, stream) DO UPDATE SET notes = s.notes + EXCLUDED.notes "
      "RETURNING allocation_id, rank, high_seq, notes) "
      "INSERT INTO task_logs (trial_id, allocation_id, rank, seq, note, source, partial, "
      "dropped, line, at, received_at, level, retention) "
      "SELECT n.t, n.a, n.r, c.high_seq, "
      "c.notes + 1 - row_number() OVER (PARTITION BY n.a, n.r ORDER BY n.place DESC), "
      "$7::integer, false, 0, n.line, $8::timestamptz, $8::timestamptz, $9::smallint, n.retention "
      "FROM n JOIN counted c ON c.allocation_id = n.a AND c.rank = n.r",
      pg::ArrayOf(trials),
      pg::ArrayOf(allocations),
      pg::ArrayOf(ranks),
      pg::ByteaArrayOf(lines),
      pg::ArrayOf(retentions),
      kLogStream,
      static_cast<int>(LogSource::kMaster),
      pg::Timestamp(now),
      static_cast<int>(LogLevel::kWarning));
}

}  // namespace det::ingest
