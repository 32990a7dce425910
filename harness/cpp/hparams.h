#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace det::harness {

// A trial's hyperparameters. Immutable, so any thread may read.
class Hparams {
 public:
  // Throws Error unless the text is a JSON object.
  explicit Hparams(std::string json);
  ~Hparams();

  bool Has(const std::string& name) const;  // and is not null
  // Throw Error when there is no such hyperparameter, or it is of another type.
  double Double(const std::string& name) const;
  int64_t Int(const std::string& name) const;
  bool Bool(const std::string& name) const;
  std::string String(const std::string& name) const;
  const std::string& json() const { return json_; }

 private:
  struct Tree;
  std::string json_;
  std::unique_ptr<const Tree> tree_;
};

// `json` with the value at a dotted path replaced. The text of the value is taken as JSON when it
// can be read so, else as a string. Throws Error.
std::string WithHparam(const std::string& json, const std::string& name, const std::string& text);

}  // namespace det::harness
