#include "cli/app/watch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/app/context.h"
#include "cli/app/interrupt.h"
#include "cli/format/quantity.h"
#include "cli/format/width.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// Keeps what is written to a stream, with the properties of the real one.
class Kept : public Output {
 public:
  explicit Kept(const Output& real) : real_(real) {}
  void Write(std::string_view bytes) override { text_.append(bytes); }
  bool IsTty() const override { return real_.IsTty(); }
  Size size() const override { return real_.size(); }
  std::string Take() { return std::exchange(text_, {}); }

 private:
  const Output& real_;
  std::string text_;
};

// Waits for Ctrl-C.
class Stop {
 public:
  bool WaitFor(absl::Duration time) {
    const MutexLock lock(mutex_);
    const absl::Time until = absl::Now() + time;
    for (absl::Time now = absl::Now(); !stopped_ && now < until; now = absl::Now()) {
      changed_.WaitFor(mutex_, until - now);
    }
    return stopped_;
  }
  void Now() {
    const MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// In place, from the top of the screen; of what does not fit the last line says how much it is. One
// write, no flicker.
std::string Frame(const std::string& head, const std::string& text, Output::Size size) {
  std::string out = "\x1b[H";
  StrAppend(out, head, "\x1b[K\r\n");
  const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  const int room = std::max(size.height - 2, 1);  // below the head; the cursor's line stays free
  const int shown = lines <= room ? lines : room - 1;
  size_t begin = 0;
  for (int line = 0; line < shown; ++line) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    StrAppend(out, std::string_view(text).substr(begin, end - begin), "\x1b[K\r\n");
    begin = end + 1;
  }
  if (lines > shown) {
    const std::string more = StrCat("... ", Count(lines - shown, "more line"), " below; --limit");
    StrAppend(out, Truncate(StrCat(more, " shows fewer"), size.width, false), "\x1b[K\r\n");
  }
  return out.append("\x1b[J");
}

class Watcher {
 public:
  Watcher(const Command& command, const Environment& environment, GlobalOptions options)
      : command_(command),
        real_(environment),
        out_(*environment.out),
        err_(*environment.err),
        every_(*options.watch),
        context_(Inner(), std::move(options)) {}

  absl::StatusOr<ExitCode> Run() {
    Stop stop;
    const InterruptGuard guard([&] { stop.Now(); });
    bool worked = false;
    bool in_place = false;
    absl::Status failure;
    do {
      const absl::StatusOr<ExitCode> code = command_.run(context_);
      const bool away = !code.ok() && CodeOf(code.status()) == ExitCode::kUnreachable;
      if (!code.ok() && !(away && worked)) {
        failure = code.status();
        break;
      }
      if (away) context_.PrintError(code.status());
      worked = true;
      in_place = Show(in_place);
      if (real_.out->error() != 0) break;
    } while (!stop.WaitFor(every_));
    if (in_place) real_.out->Write("\x1b[?25h");
    real_.err->Write(err_.Take());
    if (!failure.ok()) return failure;
    return ExitCode::kInterrupted;
  }

 private:
  Environment Inner() {
    Environment inner = real_;
    inner.out = &out_;
    inner.err = &err_;
    return inner;
  }

  // Gives whether the screen is in use.
  bool Show(bool in_place) {
    const Terminal terminal = context_.OutTerminal();
    const std::string text = out_.Take();
    const std::string notes = err_.Take();
    if (!terminal.redraw) {
      if (text != last_) real_.out->Write(StrCat(last_.empty() ? "" : "\n", text));
      if (notes != last_notes_) real_.err->Write(notes);
      last_ = text;
      last_notes_ = notes;
      return false;
    }
    const std::string head = Paint(Truncate(StrCat("det ",
                                                   command_.FullName(),
                                                   ", every ",
                                                   absl::FormatDuration(every_),
                                                   ", ",
                                                   Rfc3339Seconds(context_.Now()),
                                                   " (Ctrl-C ends)"),
                                            terminal.width,
                                            terminal.utf8),
                                   Style::kDim,
                                   terminal.color);
    const std::string frame =
        Frame(head, text + notes, {.width = terminal.width, .height = terminal.height});
    // The first time on a screen of its own lines: what was there scrolls up.
    real_.out->Write(StrCat(in_place ? "" : "\x1b[?25l\x1b[2J", frame));
    return true;
  }

  const Command& command_;
  const Environment real_;
  Kept out_;
  Kept err_;
  const absl::Duration every_;
  Context context_;
  std::string last_;
  std::string last_notes_;
};

}  // namespace

bool IsWatchable(const Command& command) {
  static constexpr std::string_view kVerbs[] = {"describe", "status", "why", "metrics", "show"};
  return command.verb.starts_with("list") ||
         std::find(std::begin(kVerbs), std::end(kVerbs), command.verb) != std::end(kVerbs);
}

absl::StatusOr<ExitCode> Watch(const Command& command,
                               const Environment& environment,
                               GlobalOptions options) {
  return Watcher(command, environment, std::move(options)).Run();
}

}  // namespace det::cli
