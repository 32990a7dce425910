#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "examples/digits/dataset.h"
#include <ATen/Parallel.h>
#include <torch/nn/functional/activation.h>
#include <torch/nn/functional/pooling.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/utils.h>

#include "harness/cpp/det.h"

// Learns to read handwritten digits with a small convolutional network. A trial of det, and a
// program of its own:
//   digits [--data FILE] [--hp NAME=VALUE]... [--resume]   trains (see harness/cpp/det.h)
//          [--reported FILE]                               adds the steps of each validation to
//                                                          FILE, once it is reported
//   digits [--data FILE] --score CHECKPOINT_FOLDER         measures on images never trained on
namespace digits {
namespace {

using det::harness::Context;
namespace functional = torch::nn::functional;

struct Settings {
  std::string optimizer;
  double lr = 0;
  double momentum = 0;  // of sgd
  double weight_decay = 0;
  int64_t channels = 0;
  double dropout = 0;
  int64_t batch_size = 0;
  int64_t epochs = 0;
};

Settings ReadSettings(Context& det) {
  const Settings settings{.optimizer = det.Hparam<std::string>("optimizer.name"),
                          .lr = det.Hparam<double>("optimizer.lr"),
                          .momentum = det.HparamOr("optimizer.momentum", 0.0),
                          .weight_decay = det.Hparam<double>("optimizer.weight_decay"),
                          .channels = det.Hparam<int64_t>("channels"),
                          .dropout = det.Hparam<double>("dropout"),
                          .batch_size = det.Hparam<int64_t>("batch_size"),
                          .epochs = det.Hparam<int64_t>("epochs")};
  if (settings.channels < 1 || settings.batch_size < 1 || settings.epochs < 1 ||
      !(settings.lr > 0) || !(settings.dropout >= 0 && settings.dropout < 1) ||
      (settings.optimizer != "sgd" && settings.optimizer != "adam")) {
    det.InvalidHparams();
  }
  return settings;
}

// Two convolutions, one pooling, one linear layer.
class NetworkImpl : public torch::nn::Module {
 public:
  NetworkImpl(int64_t channels, double dropout)
      : first_(register_module("first", Convolution(1, channels))),
        second_(register_module("second", Convolution(channels, 2 * channels))),
        dropout_(register_module("dropout", torch::nn::Dropout(dropout))),
        last_(register_module(
            "last", torch::nn::Linear(2 * channels * (kSide / 2) * (kSide / 2), kClasses))) {}

  torch::Tensor forward(torch::Tensor x) {
    x = torch::relu(first_->forward(x));
    x = torch::relu(second_->forward(x));
    x = torch::max_pool2d(x, 2);
    return last_->forward(dropout_->forward(x.flatten(1)));
  }

 private:
  static torch::nn::Conv2d Convolution(int64_t in, int64_t out) {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1));
  }

  torch::nn::Conv2d first_;
  torch::nn::Conv2d second_;
  torch::nn::Dropout dropout_;
  torch::nn::Linear last_;
};
TORCH_MODULE(Network);

struct Examples {
  torch::Tensor x;
  torch::Tensor y;
};

Examples ToTensors(const Images& images) {
  const auto count = static_cast<int64_t>(images.labels.size());
  return {torch::tensor(images.pixels).view({count, 1, kSide, kSide}),
          torch::tensor(images.labels)};
}

struct Score {
  double accuracy = 0;
  double loss = 0;
};

Score Measure(Network& network, const Examples& examples) {
  const torch::NoGradGuard no_grad;
  network->eval();
  const torch::Tensor scores = network->forward(examples.x);
  const torch::Tensor right = scores.argmax(1).eq(examples.y).sum();
  return {.accuracy = right.item<double>() / static_cast<double>(examples.y.size(0)),
          .loss = torch::cross_entropy_loss(scores, examples.y).item<double>()};
}

class Trainer {
 public:
  Trainer(Settings settings, uint32_t seed, const Dataset& dataset)
      : settings_(std::move(settings)),
        seed_(seed),
        training_(ToTensors(dataset.training)),
        validation_(ToTensors(dataset.validation)),
        network_(MakeNetwork()),
        optimizer_(MakeOptimizer()) {}

  // The epochs done.
  int64_t epoch() const { return epoch_; }
  int64_t steps() const { return epoch_ * BatchesPerEpoch(); }
  // The mean loss of the epoch.
  double TrainEpoch();
  Score Validate() { return Measure(network_, validation_); }
  void Save(const std::filesystem::path& directory);
  // From a checkpoint of this trial: goes on as if nothing had been. From another one's: takes its
  // weights only.
  void Load(const det::harness::Checkpoint& checkpoint);

 private:
  int64_t BatchesPerEpoch() const {
    return (training_.y.size(0) + settings_.batch_size - 1) / settings_.batch_size;
  }
  Network MakeNetwork() const {
    torch::manual_seed(seed_);
    return Network(settings_.channels, settings_.dropout);
  }
  std::unique_ptr<torch::optim::Optimizer> MakeOptimizer();

  const Settings settings_;
  const uint32_t seed_;
  const Examples training_;
  const Examples validation_;
  Network network_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  int64_t epoch_ = 0;
};

std::unique_ptr<torch::optim::Optimizer> Trainer::MakeOptimizer() {
  if (settings_.optimizer == "adam") {
    return std::make_unique<torch::optim::Adam>(
        network_->parameters(),
        torch::optim::AdamOptions(settings_.lr).weight_decay(settings_.weight_decay));
  }
  return std::make_unique<torch::optim::SGD>(network_->parameters(),
                                             torch::optim::SGDOptions(settings_.lr)
                                                 .momentum(settings_.momentum)
                                                 .weight_decay(settings_.weight_decay));
}

double Trainer::TrainEpoch() {
  // Chance begins anew with each epoch, from the seed and the epoch's number: a trial that goes on
  // from a checkpoint draws what it would have drawn, and there is no generator to save.
  torch::manual_seed((static_cast<uint64_t>(seed_) << 20) + static_cast<uint64_t>(epoch_) + 1);
  network_->train();
  const torch::Tensor order = torch::randperm(training_.y.size(0));
  double sum = 0;
  for (const torch::Tensor& batch : order.split(settings_.batch_size)) {
    optimizer_->zero_grad();
    const torch::Tensor loss = torch::cross_entropy_loss(
        network_->forward(training_.x.index_select(0, batch)), training_.y.index_select(0, batch));
    loss.backward();
    optimizer_->step();
    sum += loss.item<double>() * static_cast<double>(batch.size(0));
  }
  ++epoch_;
  return sum / static_cast<double>(training_.y.size(0));
}

constexpr char kFile[] = "digits.pt";

void Trainer::Save(const std::filesystem::path& directory) {
  torch::serialize::OutputArchive archive;
  torch::serialize::OutputArchive network;
  torch::serialize::OutputArchive optimizer;
  network_->save(network);
  optimizer_->save(optimizer);
  archive.write("network", network);
  archive.write("optimizer", optimizer);
  archive.write("channels", c10::IValue(settings_.channels));
  archive.write("epoch", c10::IValue(epoch_));
  archive.save_to((directory / kFile).string());
}

torch::serialize::InputArchive Open(const std::filesystem::path& directory) {
  torch::serialize::InputArchive archive;
  archive.load_from((directory / kFile).string());
  return archive;
}

int64_t ReadInt(torch::serialize::InputArchive& archive, const std::string& name) {
  c10::IValue value;
  archive.read(name, value);
  return value.toInt();
}

void Trainer::Load(const det::harness::Checkpoint& checkpoint) {
  torch::serialize::InputArchive archive = Open(checkpoint.path);
  torch::serialize::InputArchive part;
  archive.read("network", part);
  network_->load(part);
  if (checkpoint.steps == 0) return;
  archive.read("optimizer", part);
  optimizer_->load(part);
  epoch_ = ReadInt(archive, "epoch");
}

void NoteReported(const std::string& path, const std::string& line) {
  if (path.empty()) return;
  std::ofstream file(path, std::ios::app);
  file << line << "\n" << std::flush;
  if (!file) throw det::harness::Error("can't write " + path);
}

void Train(Context& det, const std::string& data, const std::string& reported) {
  const Settings settings = ReadSettings(det);
  at::set_num_threads(std::max(det.slots(), 1));
  Trainer trainer(settings, det.seed(), ReadDataset(data));
  if (const auto latest = det.LatestCheckpoint()) trainer.Load(*latest);
  const auto save = [&](const std::filesystem::path& directory) { trainer.Save(directory); };
  det.ShouldPreempt();  // from now on we are asked to leave, not told
  while (trainer.epoch() < settings.epochs) {
    const double loss = trainer.TrainEpoch();
    const Score score = trainer.Validate();
    const auto epochs = static_cast<double>(trainer.epoch());
    det.ReportTraining(trainer.steps(), {{"loss", loss}, {"epochs", epochs}});
    det.ReportValidation(trainer.steps(),
                         {{"accuracy", score.accuracy}, {"loss", score.loss}, {"epochs", epochs}});
    NoteReported(reported, std::to_string(trainer.steps()));
    det.ReportProgress(epochs / static_cast<double>(settings.epochs));
    if (det.ShouldPreempt()) det.SaveCheckpointAndLeave(trainer.steps(), save);
    det.SaveCheckpoint(trainer.steps(), save);
  }
}

void PrintScore(const std::string& checkpoint, const std::string& data) {
  torch::serialize::InputArchive archive = Open(checkpoint);
  torch::serialize::InputArchive part;
  archive.read("network", part);
  Network network(ReadInt(archive, "channels"), 0.0);
  network->load(part);
  std::printf("test accuracy=%.4f\n", Measure(network, ToTensors(ReadDataset(data).test)).accuracy);
}

// The word after `option`, or `fallback` when it is not given.
std::string Argument(int argc, char** argv, const std::string& option, const char* fallback) {
  for (int i = 1; i < argc; ++i) {
    if (argv[i] != option) continue;
    if (i + 1 == argc) throw det::harness::Error(option + " needs a value");
    return argv[i + 1];
  }
  return fallback;
}

}  // namespace
}  // namespace digits

int main(int argc, char** argv) {
  return det::harness::Run(argc, argv, [&](det::harness::Context& det) {
    const std::string data = digits::Argument(argc, argv, "--data", "digits.csv.gz");
    const std::string checkpoint = digits::Argument(argc, argv, "--score", "");
    if (!checkpoint.empty()) return digits::PrintScore(checkpoint, data);
    digits::Train(det, data, digits::Argument(argc, argv, "--reported", ""));
  });
}
