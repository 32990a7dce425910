#include "cli/cmd/commands.h"

// What people who come from Determined type, where det has another word for it or none.
namespace det::cli {
namespace {

constexpr char kNoTasks[] =
    "there are no interactive tasks yet: det runs experiments (det experiment create)";
constexpr char kNoPools[] =
    "pools are made by the master's configuration; det agent list --filter 'pool = NAME' shows "
    "one, det job list what waits for it";

std::vector<Elsewhere> Nouns() {
  return {
      {"", {"master"}, "det status and det doctor ask the master; its log is where it runs"},
      {"", {"resource-pool", "rp"}, kNoPools},
      {"",
       {"resources", "res"},
       "use is not added up yet; det trial list --all -o csv has the times of each trial"},
      {"",
       {"task"},
       "tasks are trials here: det trial list --live, det trial logs ID, det trial kill ID"},
      {"", {"dev"}, "-v prints each call to the master; its API is in proto/det/api/v1"},
      {"",
       {"auth", "sso", "oauth"},
       "det login ADDRESS logs in, with a token; det whoami says who"},
      {"", {"notebook"}, kNoTasks},
      {"", {"shell"}, kNoTasks},
      {"", {"command", "cmd"}, kNoTasks},
      {"",
       {"tensorboard"},
       "there is no TensorBoard yet; det metrics ID --plot draws, -o csv takes the points out"},
      {"",
       {"model", "m"},
       "there is no registry of models yet; det checkpoint list and describe show what was saved, "
       "det experiment label add marks it"},
      {"", {"deploy", "d"}, "det up starts a cluster on this machine, det down ends it"},
      {"",
       {"rbac"},
       "det workspace role add WORKSPACE USER ROLE gives a role; det workspace describe shows "
       "them"},
      {"",
       {"user-group"},
       "there are no groups yet; roles are given to users, or to everybody: det workspace role "
       "add"},
      {"",
       {"webhook"},
       "there are no webhooks yet; det experiment wait ID ends when the experiment does, with a "
       "code that tells how"},
      {"",
       {"config-policies"},
       "there are no policies of configurations yet; the master's configuration bounds slots by "
       "user and workspace"},
  };
}

std::vector<Elsewhere> Verbs() {
  return {
      {"experiment",
       {"delete-tb-files"},
       "no TensorBoard files are kept: what trials report is in the master, see det metrics"},
      {"trial",
       {"set log-retention"},
       "logs are kept by experiment: det experiment set log-retention ID DAYS"},
      {"trial",
       {"support-bundle"},
       "det trial describe ID -o json, det trial logs ID and det why tID tell what there is to "
       "tell"},
      {"user",
       {"change-password"},
       "there are no passwords: det token create NAME makes a token, det token revoke ends one"},
      {"user",
       {"link-with-agent-user", "link-with-agent-user-group"},
       "tasks run as the user that the agent runs as"},
      {"token",
       {"edit"},
       "a token does not change: det token create NAME --expires TIME, then det token revoke ID"},
      {"workspace", {"list-pools"}, kNoPools},
      {"workspace", {"bindings list"}, "workspaces are bound to nothing: all pools are theirs"},
      {"workspace",
       {"resource-quota set"},
       "quotas of slots are part of the master's configuration"},
  };
}

}  // namespace

std::vector<Elsewhere> AllElsewhere() {
  std::vector<Elsewhere> all = Nouns();
  for (Elsewhere& verb : Verbs()) all.push_back(std::move(verb));
  return all;
}

}  // namespace det::cli
