#include "examples/digits/dataset.h"

#include <charconv>
#include <memory>
#include <random>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <zlib.h>

namespace digits {
namespace {

constexpr size_t kPixels = kSide * kSide;
constexpr int kBrightest = 16;
constexpr uint32_t kSplitSeed = 1998;  // the year of the data

struct Image {
  float pixels[kPixels];
  int64_t label;
};

struct GzClose {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

// "0,12,...,16,7"; false when it is anything else.
bool ParseLine(std::string_view line, Image* image) {
  for (size_t i = 0; i <= kPixels; ++i) {
    int value = 0;
    const auto result = std::from_chars(line.data(), line.data() + line.size(), value);
    const bool label = i == kPixels;
    if (result.ec != std::errc() || value < 0 || value > (label ? kClasses - 1 : kBrightest)) {
      return false;
    }
    if (label) {
      image->label = value;
    } else {
      image->pixels[i] = static_cast<float>(value) / kBrightest;
    }
    line.remove_prefix(static_cast<size_t>(result.ptr - line.data()));
    if (line.empty() || line.front() != (label ? '\n' : ',')) return false;
    line.remove_prefix(1);
  }
  return true;
}

std::vector<Image> ReadImages(const std::string& path) {
  const std::unique_ptr<gzFile_s, GzClose> file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) throw std::runtime_error("can't open " + path);
  std::vector<Image> images;
  char line[512];
  while (gzgets(file.get(), line, sizeof(line)) != nullptr) {
    Image image{};
    if (!ParseLine(line, &image)) {
      throw std::runtime_error(path + ": line " + std::to_string(images.size() + 1) +
                               " is no image");
    }
    images.push_back(image);
  }
  int error = Z_OK;
  const char* message = gzerror(file.get(), &error);
  if (error != Z_OK && error != Z_STREAM_END) throw std::runtime_error(path + ": " + message);
  return images;
}

void Append(const Image& image, Images* part) {
  part->pixels.insert(part->pixels.end(), image.pixels, image.pixels + kPixels);
  part->labels.push_back(image.label);
}

}  // namespace

Dataset ReadDataset(const std::string& path) {
  std::vector<Image> images = ReadImages(path);
  // Written out, since std::shuffle may differ from one standard library to the next.
  std::mt19937 random(kSplitSeed);
  for (size_t i = images.size(); i > 1; --i) std::swap(images[i - 1], images[random() % i]);
  // Of every five images of a digit, three are for training, so each part has the same share of
  // each.
  Dataset dataset;
  int64_t dealt[kClasses] = {};
  for (const Image& image : images) {
    const int64_t place = dealt[image.label]++ % 5;
    Append(image, place < 3 ? &dataset.training : place == 3 ? &dataset.validation : &dataset.test);
  }
  return dataset;
}

}  // namespace digits
