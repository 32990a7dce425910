#include <algorithm>
#include <utility>

#include "cli/app/context.h"
#include "cli/app/version.h"
#include "cli/client/client.h"
#include "cli/client/live_pages.h"
#include "cli/cmd/commands.h"
#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "cli/format/width.h"
#include "cli/format/wrap.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr absl::Duration kSkewMax = absl::Seconds(5);
constexpr size_t kPaddingBytes = 1 << 20;
// A model directory of 100 MiB then takes most of two minutes.
constexpr double kSlowBytesPerSecond = 1 << 20;
constexpr int kNameWidth = 12;

struct Check {
  std::string name;
  std::string level;  // "ok", "warn", "fail"
  std::string text;
  std::string hint;
};

// Goes from what everything needs to what only some things do; stops where nothing more can work.
class Doctor {
 public:
  explicit Doctor(Context& context) : context_(context) {}

  std::vector<Check> Run() {
    absl::StatusOr<Client*> client = context_.Connect();
    if (!client.ok()) {
      Fail("address", client.status());
      return std::move(checks_);
    }
    const Connection& connection = (*client)->connection();
    Add("address", "ok", StrCat(connection.address, ", by ", connection.address_source));
    Encryption(connection);
    const absl::StatusOr<api::GetClusterResponse> cluster = (*client)->GetCluster();
    if (!cluster.ok()) {
      const bool refused = CodeOf(cluster.status()) == ExitCode::kForbidden;
      Fail(refused ? "token" : "master", cluster.status());
      return std::move(checks_);
    }
    Add("token",
        "ok",
        StrCat("you are ",
               cluster->user(),
               connection.token_source.empty() ? "" : ", by ",
               connection.token_source));
    Versions(cluster->version());
    Health(*client);
    Agents(*client, *cluster);
    return std::move(checks_);
  }

 private:
  void Add(std::string name, std::string level, std::string text, std::string hint = {}) {
    checks_.push_back({std::move(name), std::move(level), std::move(text), std::move(hint)});
  }
  void Fail(std::string name, const absl::Status& status) {
    Add(std::move(name), "fail", std::string(FromAbsl(status.message())), ErrorHint(status));
  }

  void Encryption(const Connection& connection) {
    if (IsLoopback(connection.address)) {
      Add("encryption", "ok", "nothing leaves this machine");
    } else {
      Add("encryption",
          connection.token.empty() ? "ok" : "warn",
          "the connection is not encrypted",
          connection.token.empty() ? "" : "forward the port by ssh, or trust the network");
    }
  }

  void Versions(const std::string& master) {
    const std::string mine(Version());
    if (master == mine) {
      Add("version", "ok", StrCat(mine, " here and at the master"));
    } else {
      Add("version",
          "warn",
          StrCat(mine, " here, ", master, " at the master"),
          "install the master's version");
    }
  }

  // The call once without a load and once with one: the difference is the way of the load.
  void Health(Client* client) {
    const absl::Time begin = absl::Now();
    const absl::Time by_my_clock = context_.Now();
    const auto health = client->GetHealth({});
    const absl::Duration bare = absl::Now() - begin;
    if (absl::IsUnimplemented(health.status())) {
      return Add("master",
                 "warn",
                 "it does not look after itself: it is older",
                 "install the version of this command there");
    }
    if (!health.ok()) return Fail("master", health.status());
    Clock(absl::FromUnixNanos(health->now_unix_nanos()) - by_my_clock - bare / 2);
    api::GetHealthRequest loaded;
    loaded.set_padding(std::string(kPaddingBytes, 'x'));
    const absl::Time second = absl::Now();
    const auto answer = client->GetHealth(loaded);
    if (answer.ok()) Upload(absl::Now() - second - bare, bare);
    for (const api::HealthCheck& check : health->checks()) {
      Add(check.name(), check.level(), check.text(), check.hint());
    }
  }

  void Clock(absl::Duration skew) {
    const bool apart = absl::AbsDuration(skew) > kSkewMax;
    const absl::Duration shown = absl::Trunc(absl::AbsDuration(skew), absl::Milliseconds(1));
    Add("clock",
        apart ? "warn" : "ok",
        apart ? StrCat("the master's is ",
                       absl::FormatDuration(shown),
                       skew > absl::ZeroDuration() ? " ahead" : " behind")
              : std::string("as the master's"),
        apart ? "times and ages are the master's; let NTP set both clocks" : "");
  }

  void Upload(absl::Duration took, absl::Duration bare) {
    const double seconds = std::max(absl::ToDoubleSeconds(took), 1e-4);
    const double speed = static_cast<double>(kPaddingBytes) / seconds;
    const bool slow = speed < kSlowBytesPerSecond;
    // Faster than can be told from one load is fast enough.
    constexpr double kShownMax = 1e9;
    Add("upload",
        slow ? "warn" : "ok",
        StrCat(BytesText(static_cast<int64_t>(std::min(speed, kShownMax))),
               "/s, a call takes ",
               absl::FormatDuration(absl::Trunc(bare, absl::Microseconds(100)))),
        slow ? "model directories take long; .detignore keeps large files out" : "");
  }

  void Agents(Client* client, const api::GetClusterResponse& cluster) {
    api::ListAgentsRequest request;
    request.set_filter("state in (AWAY, LOST)");
    const auto away = ListAgents(client, request, 100);
    if (!away.ok()) return Fail("agents", away.status());
    std::string names;
    for (const api::Agent& agent : away->items) {
      StrAppend(names, names.empty() ? "" : ", ", agent.id(), " is ", agent.state());
    }
    const std::string slots = StrCat(Count(cluster.agents(), "agent"),
                                     ", ",
                                     cluster.slots_free(),
                                     " of ",
                                     Count(cluster.slots(), "slot"),
                                     " free");
    if (!away->items.empty()) {
      Add("agents", "warn", StrCat(slots, "; ", names), "look at det-agent on those machines");
    } else if (cluster.slots() == 0) {
      Add("agents",
          "warn",
          "no agent is connected: nothing can run",
          "start det-agent on a machine");
    } else {
      Add("agents", "ok", slots);
    }
  }

  Context& context_;
  std::vector<Check> checks_;
};

Style LevelStyle(const std::string& level) {
  return level == "ok" ? Style::kGreen : level == "warn" ? Style::kYellow : Style::kRed;
}

Report DoctorReport(const std::vector<Check>& checks) {
  Document::List list;
  Table table{.columns = {{"level"}, {"check"}, {.name = "text", .wraps = true}, {.name = "hint"}},
              .key = "check"};
  for (const Check& check : checks) {
    list.push_back(Document()
                       .Add("check", check.name)
                       .Add("level", check.level)
                       .Add("text", check.text)
                       .Add("hint", check.hint));
    table.rows.push_back({check.level, check.name, TextCell(check.text), TextCell(check.hint)});
  }
  return {std::move(list), std::move(table), {}};
}

// For people: a line for each, and below it what to do.
std::string Lines(const std::vector<Check>& checks, const Terminal& terminal) {
  std::string out;
  for (const Check& check : checks) {
    const std::string level =
        Paint(PadRight(check.level, 4), LevelStyle(check.level), terminal.color);
    std::string lead = StrCat(level, "  ", PadRight(check.name, kNameWidth));
    const auto print = [&](const std::string& text) {
      const std::string safe = EscapeControls(text, Escape::kLine, terminal.utf8 || !terminal.tty);
      for (const std::string& line :
           terminal.tty ? WrapLines(safe, std::max(20, terminal.width - kNameWidth - 6))
                        : std::vector<std::string>{safe}) {
        StrAppend(out, lead, line, "\n");
        lead.assign(static_cast<size_t>(kNameWidth) + 6, ' ');
      }
    };
    print(check.text);
    if (!check.hint.empty()) print(StrCat("-> ", check.hint));
  }
  return out;
}

absl::StatusOr<ExitCode> Run(Context& context) {
  const std::vector<Check> checks = Doctor(context).Run();
  if (context.options().format == Format::kTable && context.options().table.columns.empty()) {
    context.out().Write(Lines(checks, context.OutTerminal()));
  } else {
    DET_RETURN_IF_ERROR(context.Show(DoctorReport(checks)));
  }
  const bool failed = std::any_of(
      checks.begin(), checks.end(), [](const Check& check) { return check.level == "fail"; });
  return failed ? ExitCode::kFailure : ExitCode::kOk;
}

}  // namespace

Command DoctorCommand() {
  return {.verb = "doctor",
          .summary = "Look for what is wrong between you and the cluster, and say what to do.",
          .details =
              "Tries the address, the token, versions, clocks, the speed of uploads, the "
              "master's database and disk, and the agents. Exits with 1 when one fails.",
          .examples = {{"det doctor", "why does nothing work?"},
                       {"det doctor -o json", "for a monitor"}},
          .run = Run};
}

}  // namespace det::cli
