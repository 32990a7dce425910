#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "cli/app/environment.h"
#include "cli/app/options.h"
#include "cli/format/report.h"

namespace det::cli {

class Client;

// What a verb works with: the options of every command, the streams, the master. One thread.
class Context {
 public:
  Context(const Environment& environment, GlobalOptions options);
  ~Context();

  const GlobalOptions& options() const { return options_; }
  const GetEnv& getenv() const { return environment_.getenv; }
  absl::Time Now() const { return environment_.clock->Now(); }
  Output& out() { return *environment_.out; }
  Output& err() { return *environment_.err; }
  // Asked anew each time: a terminal may change its size.
  Terminal OutTerminal() const;
  Terminal ErrTerminal() const;

  // The master, found at the first call. Without a deadline of the user's, calls take 10 s at most.
  absl::StatusOr<Client*> Connect();

  // Prints to the standard output what the verb has found out, in the format asked for. What is
  // long goes through the pager, unless nobody may be there any more: at the end of a long wait.
  enum class Paging { kWhenLong, kNever };
  absl::Status Show(Report report, Paging paging = Paging::kWhenLong);

  // To the standard error, each on lines of its own. All but errors are left out with --quiet.
  void Say(std::string_view text);
  void Note(std::string_view text);
  void Warn(std::string_view text);
  void PrintError(const absl::Status& status);

 private:
  void PrintLabelled(std::string_view label, Style style, std::string_view text);
  void PrintLine(std::string_view safe_prefix, std::string_view text);

  const Environment environment_;
  const GlobalOptions options_;
  std::unique_ptr<Client> client_;
  std::set<std::string> warned_;
};

}  // namespace det::cli
