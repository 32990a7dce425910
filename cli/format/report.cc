#include "cli/format/report.h"

#include <algorithm>

#include "cli/format/escape.h"
#include "cli/format/width.h"
#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

std::string FieldsText(const Fields& fields, const ReportOptions& options) {
  int width = 0;
  for (const auto& [label, cell] : fields) width = std::max(width, DisplayWidth(label));
  std::string out;
  for (const auto& [label, cell] : fields) {
    const std::string value = PrettyText(cell, options.terminal, options.now);
    StrAppend(out,
              Paint(PadRight(label, width), Style::kDim, options.terminal.color),
              "  ",
              Paint(value, CellStyle(cell), options.terminal.color),
              "\n");
  }
  return out;
}

absl::StatusOr<std::string> SectionText(Section section, const ReportOptions& options) {
  if (const auto* fields = std::get_if<Fields>(&section.content)) {
    return FieldsText(*fields, options);
  }
  if (const auto* text = std::get_if<std::string>(&section.content)) {
    const bool utf8 = options.terminal.utf8 || !options.terminal.tty;
    return EscapeControls(*text, Escape::kProse, utf8);
  }
  // --columns and --sort speak of the verb's own table, which a section is not.
  Table& table = std::get<Table>(section.content);
  DET_RETURN_IF_ERROR(Arrange({}, true, &table));
  return TableText(table, options.table.header, options.terminal, options.now);
}

absl::StatusOr<std::string> SectionsText(std::vector<Section> sections,
                                         const ReportOptions& options) {
  std::string out;
  for (Section& section : sections) {
    if (!out.empty()) out.push_back('\n');
    if (!section.title.empty()) {
      StrAppend(out, Paint(section.title, Style::kBold, options.terminal.color), "\n");
    }
    DET_ASSIGN_OR_RETURN(const std::string text, SectionText(std::move(section), options));
    out.append(text);
  }
  return out;
}

absl::StatusOr<std::string> RenderTable(Report report, const ReportOptions& options) {
  const bool plain = options.table.columns.empty() && options.table.sort.empty();
  if (!report.sections.empty() && plain) return SectionsText(std::move(report.sections), options);
  DET_RETURN_IF_ERROR(Arrange(options.table, true, &report.table));
  return TableText(report.table, options.table.header, options.terminal, options.now);
}

absl::StatusOr<std::string> RenderExact(Report report, const ReportOptions& options) {
  switch (options.format) {
    case Format::kTable:
      return RenderTable(std::move(report), options);
    case Format::kJson:
      return ToPrettyJson(report.document);
    case Format::kYaml:
      return ToYaml(report.document);
    case Format::kName:
      DET_RETURN_IF_ERROR(Arrange(
          {.columns = {report.table.key}, .sort = options.table.sort}, false, &report.table));
      return NamesText(report.table);
    case Format::kCsv:
    case Format::kTsv:
      break;
  }
  DET_RETURN_IF_ERROR(Arrange(options.table, false, &report.table));
  return options.format == Format::kCsv ? CsvText(report.table, options.table.header)
                                        : TsvText(report.table, options.table.header);
}

}  // namespace

absl::StatusOr<std::string> Render(Report report, const ReportOptions& options) {
  DET_ASSIGN_OR_RETURN(std::string text, RenderExact(std::move(report), options));
  // A table is safe already, and coloured by us. The other formats are bytes for programs, unless
  // it is a person's terminal that gets them.
  if (options.terminal.tty && options.format != Format::kTable) {
    return EscapeControls(text, Escape::kProse, options.terminal.utf8);
  }
  return text;
}

}  // namespace det::cli
