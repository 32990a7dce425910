#include "cli/app/context.h"

#include <utility>

#include "cli/app/pager.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/format/escape.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {

Context::Context(const Environment& environment, GlobalOptions options)
    : environment_(environment), options_(std::move(options)) {}

Context::~Context() = default;

Terminal Context::OutTerminal() const {
  return DescribeTerminal(*environment_.out, environment_.getenv, options_.color);
}

Terminal Context::ErrTerminal() const {
  return DescribeTerminal(*environment_.err, environment_.getenv, options_.color);
}

absl::StatusOr<Client*> Context::Connect() {
  if (client_ != nullptr) return client_.get();
  DET_ASSIGN_OR_RETURN(Connection connection,
                       ResolveConnection(options_.connection, environment_.getenv));
  ClientOptions client_options;
  client_options.deadline = options_.timeout.value_or(client_options.deadline);
  if (options_.verbose) {
    PrintLabelled("debug",
                  Style::kDim,
                  StrCat("the master is ",
                         connection.address,
                         " by ",
                         connection.address_source,
                         connection.token.empty() ? ", without a token" : ", with the token of ",
                         connection.token_source));
    client_options.observer =
        [this](std::string_view call, absl::Duration took, const absl::Status& s) {
          const std::string result = s.ok() ? "" : StrCat(": ", absl::StatusCodeToString(s.code()));
          PrintLabelled(
              "debug", Style::kDim, StrCat(call, " took ", absl::FormatDuration(took), result));
        };
  }
  client_ = Client::Create(std::move(connection), std::move(client_options));
  return client_.get();
}

absl::Status Context::Show(Report report, Paging paging) {
  const bool nothing = report.table.rows.empty() && report.sections.empty();
  const Terminal terminal = OutTerminal();
  const ReportOptions options{options_.format, options_.text, options_.table, terminal, Now()};
  DET_ASSIGN_OR_RETURN(const std::string text, Render(std::move(report), options));
  const bool wanted = paging == Paging::kWhenLong && !options_.no_pager;
  const bool paged = wanted && terminal.redraw && IsLong(text, terminal);
  const std::string pager = paged ? PagerCommand(getenv()) : std::string();
  if (pager.empty() || !out().Page(pager, text)) out().Write(text);
  if (nothing && IsForPeople(options_.format)) Note("there are none");
  return absl::OkStatus();
}

void Context::Say(std::string_view text) {
  if (!options_.quiet) PrintLine("", text);
}

void Context::Note(std::string_view text) {
  if (!options_.quiet) PrintLabelled("note", Style::kCyan, text);
}

void Context::Warn(std::string_view text) {
  if (options_.quiet) return;
  // Once is enough; a view that is drawn anew shows it each time.
  if (!options_.watch.has_value() && !warned_.insert(std::string(text)).second) return;
  // What is said of a configuration says itself that it is a warning, at its place.
  if (text.substr(0, text.find('\n')).find(": warning: ") != std::string_view::npos) {
    PrintLine("", text);
  } else {
    PrintLabelled("warning", Style::kYellow, text);
  }
}

void Context::PrintError(const absl::Status& status) {
  const std::string_view message = FromAbsl(status.message());
  // What is wrong with a configuration says so itself, at each place.
  if (message.substr(0, message.find('\n')).find(": error: ") != std::string_view::npos) {
    PrintLine("", message);
  } else {
    PrintLabelled("error", Style::kRed, message);
  }
  if (const std::string cause = ErrorCause(status); !cause.empty()) {
    PrintLabelled("cause", Style::kDim, cause);
  }
  if (const std::string hint = ErrorHint(status); !hint.empty()) {
    PrintLabelled("hint", Style::kCyan, hint);
  }
  if (const std::string reason = ErrorReason(status); options_.verbose && !reason.empty()) {
    PrintLabelled("reason", Style::kDim, reason);
  }
}

void Context::PrintLabelled(std::string_view label, Style style, std::string_view text) {
  PrintLine(StrCat(Paint(StrCat(label, ":"), style, ErrTerminal().color), " "), text);
}

void Context::PrintLine(std::string_view safe_prefix, std::string_view text) {
  const Terminal terminal = ErrTerminal();
  const bool utf8 = terminal.utf8 || !terminal.tty;
  err().Write(StrCat(safe_prefix, EscapeControls(text, Escape::kProse, utf8), "\n"));
}

}  // namespace det::cli
