#include "cli/logs/log_writer.h"

#include "cli/client/client.h"
#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "cli/format/template.h"
#include "cli/view/columns.h"
#include "cli/view/proto_document.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

Table LogTable(const std::vector<api::LogLine>& lines) {
  using L = api::LogLine;
  static const auto* const columns = new std::vector<ColumnOf<L>>{
      {{"trial"}, [](const L& l) -> Cell { return int64_t{l.trial()}; }},
      {{"run"}, [](const L& l) -> Cell { return int64_t{l.run()}; }},
      {{"rank"}, [](const L& l) -> Cell { return int64_t{l.rank()}; }},
      {{"at"}, [](const L& l) { return TimeCell(l.at_unix_nanos()); }},
      {{"source"}, [](const L& l) -> Cell { return l.source(); }},
      {{"level"}, [](const L& l) -> Cell { return l.level(); }},
      {{"line"}, [](const L& l) -> Cell { return int64_t{l.line()}; }},
      {{"text"}, [](const L& l) -> Cell { return l.text(); }},
      {{"partial"}, [](const L& l) -> Cell { return std::string(l.partial() ? "true" : "false"); }},
      {{"dropped"}, [](const L& l) -> Cell { return int64_t{l.dropped()}; }},
  };
  return MakeTable("trial", *columns, lines);
}

Style StyleOf(const api::LogLine& line) {
  const std::string& level = line.level();
  if (level == "ERROR" || level == "CRITICAL") return Style::kRed;
  if (level == "WARNING") return Style::kYellow;
  const bool quiet = level == "DEBUG" || level == "TRACE" || line.source() == "agent";
  return quiet ? Style::kDim : Style::kPlain;
}

}  // namespace

std::string LogWriter::Header() const {
  if (!format_.header) return "";
  if (format_.format == Format::kCsv) return CsvText(LogTable({}), true);
  if (format_.format == Format::kTsv) return TsvText(LogTable({}), true);
  return "";
}

std::string LogWriter::Write(const api::LogLine& line) {
  switch (format_.format) {
    case Format::kJson:
    case Format::kJsonl:
      return ForTerminal(ToCompactJson(ToDocument(line)) + "\n");
    case Format::kYaml:
      return ForTerminal(ToYaml(Document::List{ToDocument(line)}));
    case Format::kCsv:
      return ForTerminal(CsvText(LogTable({line}), false));
    case Format::kTsv:
      return ForTerminal(TsvText(LogTable({line}), false));
    case Format::kTemplate:
      return ForTerminal(FillTemplate(format_.text, ToDocument(line)).value_or(""));
    case Format::kTable:
    case Format::kWide:
    case Format::kName:
      break;
  }
  return WriteText(line);
}

std::string LogWriter::WriteText(const api::LogLine& line) {
  Origin origin{line.trial(), line.run(), line.rank(), line.source()};
  std::string out;
  // Somebody else's line in the middle of one: break it, as mixing the two would make nonsense.
  const bool goes_on = open_ && origin == origin_;
  if (open_ && !goes_on) out.push_back('\n');
  if (!goes_on) out.append(Prefix(line));
  if (format_.terminal.tty) {
    const std::string safe = EscapeControls(line.text(), Escape::kLog, format_.terminal.utf8);
    out.append(Paint(safe, StyleOf(line), format_.terminal.color));
  } else {
    out.append(line.text());
  }
  if (!line.partial()) out.push_back('\n');
  open_ = line.partial();
  origin_ = std::move(origin);
  return out;
}

std::string LogWriter::Prefix(const api::LogLine& line) const {
  std::string prefix;
  if (format_.timestamps) {
    StrAppend(prefix, Rfc3339Millis(absl::FromUnixNanos(line.at_unix_nanos())), " ");
  }
  if (format_.name_trials) StrAppend(prefix, "t", line.trial(), " | ");
  if (line.rank() > 0) StrAppend(prefix, "[rank ", line.rank(), "] ");
  return Paint(prefix, Style::kCyan, format_.terminal.color);
}

std::string LogWriter::Finish() {
  if (!open_) return "";
  open_ = false;
  return "\n";
}

std::string LogWriter::ForTerminal(std::string text) const {
  if (!format_.terminal.tty) return text;
  return EscapeControls(text, Escape::kProse, format_.terminal.utf8);
}

}  // namespace det::cli
