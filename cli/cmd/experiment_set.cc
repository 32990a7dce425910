#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "cli/app/context.h"
#include "cli/app/exit_code.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct Options {
  std::string setting;
  std::string id;
  std::string value;
};

absl::Status Bad(const Options& options, std::string_view wants) {
  return Error(absl::StatusCode::kInvalidArgument,
               "USAGE",
               StrCat(options.setting, " must be ", wants, ", not ", QuoteJson(options.value)));
}

absl::StatusOr<int64_t> Whole(const Options& options, std::string_view wants) {
  const std::string& text = options.value;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Bad(options, wants);
  return value;
}

absl::StatusOr<double> Number(const Options& options) {
  char* end = nullptr;
  const double value = std::strtod(options.value.c_str(), &end);
  if (options.value.empty() || *end != '\0' || !std::isfinite(value)) {
    return Bad(options, "a number");
  }
  return value;
}

absl::Status FillLogRetention(const Options& options, api::ConfigureExperimentRequest* request) {
  request->set_log_retention_days_unset(options.value == "default");
  if (options.value == "default") return absl::OkStatus();
  if (options.value == "forever") {
    request->set_log_retention_days(-1);
    return absl::OkStatus();
  }
  DET_ASSIGN_OR_RETURN(const int64_t days,
                       Whole(options, "a number of days, \"forever\" or \"default\""));
  request->set_log_retention_days(days);
  return absl::OkStatus();
}

// What the master checks, its ranges, is not checked here.
absl::Status Fill(const Options& options, api::ConfigureExperimentRequest* request) {
  const std::string& setting = options.setting;
  if (setting == "pool") {
    request->set_pool(options.value);
    return absl::OkStatus();
  }
  if (setting == "weight") {
    DET_ASSIGN_OR_RETURN(const double weight, Number(options));
    request->set_weight(weight);
    return absl::OkStatus();
  }
  if (setting == "log-retention") return FillLogRetention(options, request);
  if (setting == "max-slots" && options.value == "none") {
    request->set_max_slots_unset(true);
    return absl::OkStatus();
  }
  const std::string_view wants = setting == "max-slots" ? "a whole number or \"none\"" : "a number";
  DET_ASSIGN_OR_RETURN(const int64_t value, Whole(options, wants));
  if (setting == "priority") request->set_priority(value);
  if (setting == "max-slots") request->set_max_slots(value);
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  api::ConfigureExperimentRequest request;
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "experiment"));
  request.set_id(id);
  DET_RETURN_IF_ERROR(Fill(options, &request));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::ExperimentResponse response,
                       client->ConfigureExperiment(request));
  DET_RETURN_IF_ERROR(context.Show(
      {ToDocument(response.experiment()),
       ExperimentTable({response.experiment()}),
       {{"", StrCat("experiment ", id, ": ", options.setting, " is ", options.value, "\n")}}}));
  return ExitCode::kOk;
}

}  // namespace

namespace {

struct Setting {
  std::string name;
  std::string summary;
  std::string value;    // what may stand there
  std::string example;  // one such
};

Command SetCommand(const Setting& setting) {
  auto options = std::make_shared<Options>();
  options->setting = setting.name;
  const std::string verb = StrCat("set ", setting.name);
  return {.noun = "experiment",
          .verb = verb,
          .summary = setting.summary,
          .params = {Required("ID", &options->id, "the experiment: 7 or e7"),
                     Required("VALUE", &options->value, setting.value)},
          .examples = {{StrCat("det e ", verb, " 7 ", setting.example), ""}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace

std::vector<Command> ExperimentSetCommands() {
  return {
      SetCommand({"priority", "Let it go before or after others.", "1..99, less goes first", "10"}),
      SetCommand({"weight", "Change its share of a fair-share pool.", "above 0", "2.5"}),
      SetCommand({"max-slots", "Bound what its trials hold.", "slots, or \"none\"", "8"}),
      SetCommand({"pool",
                  "Move it: its trials save, leave their slots and are asked for again there.",
                  "a resource pool",
                  "gpus"}),
      SetCommand({"log-retention",
                  "Change how long its logs are kept.",
                  "days, \"forever\" or \"default\"",
                  "90"})};
}

}  // namespace det::cli
