#include "agent/prepare/command_line.h"

#include <cctype>
#include <cstdlib>
#include <map>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"

namespace det::agent {
namespace {

constexpr std::string_view kOpen = "${hp.";
// Of one variable, as Linux takes it: 128 KiB with its NUL.
constexpr size_t kVariableBytesMax = (128 << 10) - 1;
constexpr std::string_view kConfigVariable = "DET_EXPERIMENT_CONFIG";

std::string Plain(const Value& value) {
  return value.is_string() ? value.as_string() : value.ToJson();
}

// In single quotes nothing means anything to sh but the quote itself.
std::string ShellQuote(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? std::string("'\\''") : std::string(1, c));
  return out + "'";
}

std::string VariableName(const std::string& path) {
  std::string name = "HP_";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    name.push_back(std::isalnum(byte) != 0 && byte < 0x80 ? static_cast<char>(std::toupper(byte))
                                                          : '_');
  }
  return name;
}

void AddHparams(const Value& value,
                const std::string& path,
                std::map<std::string, std::string>* env) {
  for (const auto& [name, member] : value.as_object()) {
    const std::string at = path.empty() ? name : StrCat(path, ".", name);
    if (member.is_object()) {
      AddHparams(member, at, env);
    } else {
      const std::string text = Plain(member);
      if (text.find('\0') == std::string::npos) (*env)[VariableName(at)] = text;
    }
  }
}

void AddNames(const RunContext& run, std::map<std::string, std::string>* env) {
  std::vector<int> slots;
  for (const Device& device : run.devices) slots.push_back(device.index);
  (*env)["DET_HPARAMS"] = run.order.hparams_json();
  (*env)["DET_HPARAMS_FILE"] = run.hparams_file;
  (*env)["DET_EXPERIMENT_CONFIG_FILE"] = run.config_file;
  // Thousands of categories make it longer than a variable can be.
  if (kConfigVariable.size() + 1 + run.order.config_json().size() <= kVariableBytesMax)
    (*env)[std::string(kConfigVariable)] = run.order.config_json();
  (*env)["DET_EXPERIMENT_ID"] = std::to_string(run.order.experiment());
  (*env)["DET_TRIAL_ID"] = std::to_string(run.order.trial());
  (*env)["DET_TASK_ID"] = std::to_string(run.order.task());
  (*env)["DET_ALLOCATION_ID"] = std::to_string(run.allocation);
  (*env)["DET_TRIAL_RUN_ID"] = std::to_string(run.run);
  (*env)["DET_TRIAL_SEED"] = std::to_string(run.order.seed());
  (*env)["DET_CHECKPOINT_DIR"] = run.order.checkpoint_directory();
  (*env)["DET_STEPS_COMPLETED"] = std::to_string(run.order.steps_completed());
  if (!run.order.latest_checkpoint().empty())
    (*env)["DET_LATEST_CHECKPOINT"] = run.order.latest_checkpoint();
  (*env)["DET_AGENT_ID"] = run.agent_id;
  (*env)["DET_CLUSTER_ID"] = run.cluster_id;
  (*env)["DET_SLOT_IDS"] = StrCat("[", StrJoin(slots, ","), "]");
  (*env)["DET_RELAY"] = run.relay_socket;
  (*env)["DET_TOKEN"] = run.token;
}

void AddTorchrun(const RunContext& run, std::map<std::string, std::string>* env) {
  (*env)["RANK"] = (*env)["LOCAL_RANK"] = (*env)["GROUP_RANK"] = "0";
  (*env)["WORLD_SIZE"] = (*env)["LOCAL_WORLD_SIZE"] = "1";
  (*env)["MASTER_ADDR"] = "127.0.0.1";
  // A port for each run of a host: they may be several.
  (*env)["MASTER_PORT"] = std::to_string(29400 + run.allocation % 1000);
  if (run.devices.empty() || run.devices[0].kind != "cpu") return;
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) {
    (*env)[name] = std::to_string(run.devices.size());
  }
}

void AddUsers(const RunContext& run, std::map<std::string, std::string>* env) {
  const std::string kind = run.devices.empty() ? "cpu" : run.devices[0].kind;
  const auto& variables = kind == "cuda"   ? run.order.environment_cuda()
                          : kind == "rocm" ? run.order.environment_rocm()
                                           : run.order.environment_cpu();
  for (const std::string& variable : variables) {
    const size_t equals = variable.find('=');
    const std::string name = variable.substr(0, equals);
    if (name.starts_with("DET_")) continue;
    (*env)[name] = equals == std::string::npos ? "" : variable.substr(equals + 1);
  }
}

}  // namespace

absl::StatusOr<std::string> FillTemplate(const std::string& text,
                                         const Value& hparams,
                                         bool shell) {
  std::string out;
  size_t at = 0;
  while (true) {
    const size_t open = text.find(kOpen, at);
    if (open == std::string::npos) return out + text.substr(at);
    const size_t close = text.find('}', open);
    if (close == std::string::npos) return out + text.substr(at);
    const std::string name = text.substr(open + kOpen.size(), close - open - kOpen.size());
    const Value* value = name.empty() ? nullptr : hparams.FindPath(name);
    if (value == nullptr) {
      return Error(
          absl::StatusCode::kInvalidArgument,
          "NO_SUCH_HPARAM",
          StrCat(
              "the entrypoint names ${hp.", name, "}, and the trial has no such hyperparameter"));
    }
    out.append(text, at, open - at);
    out.append(shell ? ShellQuote(Plain(*value)) : Plain(*value));
    at = close + 1;
  }
}

absl::StatusOr<CommandLine> MakeCommandLine(const RunContext& run) {
  DET_ASSIGN_OR_RETURN(const Value hparams, ParseJson(run.order.hparams_json()));
  CommandLine line;
  if (run.order.entrypoint_is_shell()) line.argv = {"/bin/sh", "-c"};
  for (const std::string& word : run.order.entrypoint()) {
    DET_ASSIGN_OR_RETURN(std::string filled,
                         FillTemplate(word, hparams, run.order.entrypoint_is_shell()));
    line.argv.push_back(std::move(filled));
  }
  std::map<std::string, std::string> env = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"LANG", "C.UTF-8"}};
  // A process task lives in its agent's world: it finds the same programs and libraries.
  for (const char* name : {"HOME", "USER", "TMPDIR", "PATH", "LD_LIBRARY_PATH", "LANG"}) {
    if (const char* value = std::getenv(name)) env[name] = value;
  }
  if (hparams.is_object()) AddHparams(hparams, "", &env);
  AddTorchrun(run, &env);
  AddUsers(run, &env);
  AddNames(run, &env);
  for (const auto& [name, value] : env) line.env.push_back(StrCat(name, "=", value));
  return line;
}

}  // namespace det::agent
