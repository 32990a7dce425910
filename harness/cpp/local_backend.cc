#include "harness/cpp/local_backend.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/cpp/hparams.h"

namespace det::harness {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kOptions[] = {"--hp", "--hparams", "--checkpoints", "--seed", "--slots"};
constexpr char kListName[] = "checkpoints.jsonl";

struct Options {
  std::vector<std::pair<std::string, std::string>> values;
  bool resume = false;
};

// Leaves alone what it does not know.
Options TakeOptions(int argc, const char* const* argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--resume") options.resume = true;
    if (std::find(std::begin(kOptions), std::end(kOptions), word) == std::end(kOptions)) continue;
    if (i + 1 == argc) throw Error(word + " needs a value");
    options.values.emplace_back(word, argv[++i]);
  }
  // The hyperparameters of the file come first: "--hp" wins wherever it stands.
  std::stable_partition(options.values.begin(), options.values.end(), [](const auto& option) {
    return option.first == "--hparams";
  });
  return options;
}

template <class T>
T ReadNumber(const std::string& option, const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || value < 0) {
    throw Error(option + " takes a whole number from 0 to " +
                std::to_string(std::numeric_limits<T>::max()) + ", not \"" + text + "\"");
  }
  return value;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw Error("can't read " + path);
  return text.str();
}

void Print(const MetricsReport& report) {
  std::string line = report.group + " steps=" + std::to_string(report.steps);
  for (const auto& [name, value] : report.metrics) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.6g", value);
    line += " " + name + "=" + text;
  }
  std::printf("%s\n", line.c_str());
}

}  // namespace

LocalBackend::LocalBackend(int argc, const char* const* argv) {
  info_.checkpoint_directory = "checkpoints";
  const Options options = TakeOptions(argc, argv);
  for (const auto& [option, value] : options.values) ReadOption(option, value);
  if (options.resume) Resume();
}

void LocalBackend::ReadOption(const std::string& option, const std::string& value) {
  if (option == "--hparams") {
    info_.hparams_json = ReadFile(value);
  } else if (option == "--hp") {
    const size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Error("--hp takes NAME=VALUE, not \"" + value + "\"");
    }
    info_.hparams_json =
        WithHparam(info_.hparams_json, value.substr(0, equals), value.substr(equals + 1));
  } else if (option == "--checkpoints") {
    info_.checkpoint_directory = value;
  } else if (option == "--seed") {
    info_.seed = ReadNumber<uint32_t>(option, value);
  } else if (option == "--slots") {
    info_.slots = ReadNumber<int>(option, value);
  }
}

// From the last line of the list whose folder is still there.
void LocalBackend::Resume() {
  std::ifstream list(info_.checkpoint_directory / kListName);
  for (std::string line; std::getline(list, line);) {
    const Json json = Json::parse(line, nullptr, false);
    const auto uuid = json.find("uuid");
    const auto steps = json.find("steps");
    if (!json.is_object() || uuid == json.end() || steps == json.end()) continue;
    if (!uuid->is_string() || !steps->is_number_integer()) continue;
    const std::filesystem::path path = info_.checkpoint_directory / uuid->get<std::string>();
    if (std::filesystem::is_directory(path)) info_.latest = {path, steps->get<int64_t>()};
  }
}

void LocalBackend::Report(const ReportBody& body) {
  const std::string json = ReportJson(0, body);  // the same errors as in a trial
  const std::lock_guard lock(mutex_);
  if (const auto* metrics = std::get_if<MetricsReport>(&body)) Print(*metrics);
  if (const auto* checkpoint = std::get_if<CheckpointReport>(&body)) List(*checkpoint);
  if (std::holds_alternative<InvalidHparamsReport>(body)) std::printf("invalid hyperparameters\n");
  if (std::holds_alternative<StopReport>(body)) std::printf("stopped early\n");
  std::fflush(stdout);
}

void LocalBackend::List(const CheckpointReport& report) {
  const std::filesystem::path path = info_.checkpoint_directory / kListName;
  const Json line = {{"uuid", report.uuid}, {"steps", report.steps}};
  std::ofstream list(path, std::ios::app);
  list << line.dump() << '\n' << std::flush;
  if (!list) throw Error("can't write " + path.string());
}

}  // namespace det::harness
