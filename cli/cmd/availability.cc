#include "cli/cmd/availability.h"

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/numbers.h"

#include "cli/app/context.h"
#include "cli/app/options.h"
#include "cli/base/cause.h"
#include "cli/client/live_pages.h"
#include "cli/view/cluster_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct Options {
  std::vector<std::string> names;  // agents; of slots: the agent, then the indexes
  bool all = false;
  bool drain = false;
  std::string deadline;
  std::string note;
};

// An agent, or one slot of it.
struct Place {
  std::string agent;
  std::optional<int32_t> slot;
};

absl::StatusOr<std::vector<Place>> Places(Client* client,
                                          const std::string& noun,
                                          const Options& options) {
  std::vector<Place> places;
  if (noun == "slot") {
    if (options.names.size() < 2) {
      return UsageError("name the slots after their agent", "det slot list names them");
    }
    for (size_t i = 1; i < options.names.size(); ++i) {
      int32_t slot = 0;
      if (!absl::SimpleAtoi(options.names[i], &slot) || slot < 0) {
        return UsageError(StrCat(QuoteJson(options.names[i]), " is no index of a slot"),
                          "write det slot disable AGENT 0 1");
      }
      places.push_back({options.names[0], slot});
    }
    return places;
  }
  if (options.all != options.names.empty()) {
    return UsageError("name agents, or all of them by --all", "det agent list names them");
  }
  for (const std::string& name : options.names) places.push_back({name, std::nullopt});
  if (options.all) {
    DET_ASSIGN_OR_RETURN(const AgentPages pages, ListAgents(client));
    for (const api::Agent& agent : pages.items) places.push_back({agent.id(), std::nullopt});
  }
  return places;
}

// What the places are now.
absl::Status ShowAgents(Context& context, Client* client, const std::vector<Place>& places) {
  std::set<std::string> names;
  for (const Place& place : places) names.insert(place.agent);
  DET_ASSIGN_OR_RETURN(AgentPages pages, ListAgents(client));
  std::erase_if(pages.items, [&](const api::Agent& agent) { return !names.contains(agent.id()); });
  const bool slots = !places.empty() && places[0].slot.has_value();
  if (slots) return context.Show(SlotReport(pages.items));
  return context.Show({ToDocumentList(pages.items), AgentTable(pages.items), {}});
}

// Does `act` at each place.
absl::StatusOr<ExitCode> AtEach(Context& context,
                                const std::string& noun,
                                const Options& options,
                                const std::function<absl::Status(Client*, const Place&)>& act) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const std::vector<Place> places, Places(client, noun, options));
  std::vector<Place> done;
  absl::Status first;
  for (const Place& place : places) {
    const absl::Status status = act(client, place);
    if (status.ok()) {
      done.push_back(place);
      continue;
    }
    context.PrintError(status);
    if (first.ok()) first = status;
    if (CodeOf(status) == ExitCode::kUnreachable) break;
  }
  if (!done.empty()) DET_RETURN_IF_ERROR(ShowAgents(context, client, done));
  if (done.size() == places.size()) return ExitCode::kOk;
  return done.empty() ? CodeOf(first) : ExitCode::kPartial;
}

absl::StatusOr<ExitCode> Disable(Context& context,
                                 const std::string& noun,
                                 const Options& options) {
  api::DisableAgentRequest request;
  request.set_drain(options.drain);
  request.set_note(options.note);
  if (!options.deadline.empty()) {
    if (!options.drain) return UsageError("--deadline is of --drain", "add --drain");
    DET_ASSIGN_OR_RETURN(const absl::Duration deadline, ParseTime("--deadline", options.deadline));
    request.set_drain_seconds(std::max<int64_t>(1, absl::ToInt64Seconds(deadline)));
  }
  return AtEach(context, noun, options, [&](Client* client, const Place& place) {
    request.set_id(place.agent);
    if (place.slot.has_value()) request.set_slot(*place.slot);
    return client->DisableAgent(request).status();
  });
}

absl::StatusOr<ExitCode> Enable(Context& context, const std::string& noun, const Options& options) {
  api::EnableAgentRequest request;
  return AtEach(context, noun, options, [&](Client* client, const Place& place) {
    request.set_id(place.agent);
    if (place.slot.has_value()) request.set_slot(*place.slot);
    return client->EnableAgent(request).status();
  });
}

std::vector<Param> PlaceParams(const std::string& noun, const std::shared_ptr<Options>& options) {
  if (noun == "slot")
    return {Required("AGENT SLOT", &options->names, "the agent, then indexes of its slots")};
  return {Optional("AGENT", &options->names, "the agents"),
          Flag("--all", &options->all, "every agent that is known")};
}

}  // namespace

Command DisableCommand(const std::string& noun) {
  auto options = std::make_shared<Options>();
  const bool slot = noun == "slot";
  Command command{
      .noun = noun,
      .verb = "disable",
      .summary = slot ? "Keep slots from taking trials; those on them save and leave."
                      : "Keep agents from taking trials; those on them save and leave.",
      .details =
          "Lasts until it is enabled, also over restarts. With --drain what runs there may "
          "end by itself. A trial that leaves goes on elsewhere from its checkpoint; it "
          "counts as no restart.",
      .params = PlaceParams(noun, options)};
  command.params.push_back(Flag("--drain", &options->drain, "let what runs there end by itself"));
  command.params.push_back(
      Option("--deadline", "TIME", &options->deadline, "of --drain: then it is told to leave: 2h"));
  command.params.push_back(Option("--reason", "TEXT", &options->note, "why, for others to read"));
  if (slot) {
    command.examples = {{"det slot disable gpu-3 0 1", "take two slots out"}};
  } else {
    command.examples = {{"det agent disable gpu-3 --drain --deadline 2h --reason \"new disks\"",
                         "empty a machine within two hours"}};
  }
  command.run = [noun, options](Context& context) { return Disable(context, noun, *options); };
  return command;
}

Command EnableCommand(const std::string& noun) {
  auto options = std::make_shared<Options>();
  const bool slot = noun == "slot";
  Command command{.noun = noun,
                  .verb = "enable",
                  .summary = StrCat("Let ", noun, "s that were disabled take trials again."),
                  .params = PlaceParams(noun, options)};
  if (slot) {
    command.examples = {{"det slot enable gpu-3 0 1", "they are mended"}};
  } else {
    command.examples = {{"det agent enable gpu-3", "it is back"}};
  }
  command.run = [noun, options](Context& context) { return Enable(context, noun, *options); };
  return command;
}

}  // namespace det::cli
