#include "harness/cpp/hparams.h"

#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/cpp/det.h"

namespace det::harness {
namespace {

using Json = nlohmann::json;

std::string Quote(const std::string& text) {
  return "\"" + text + "\"";
}

// Names may themselves contain dots, so every split of the path is tried, the longest name first.
const Json* Find(const Json& tree, const std::string& path) {
  if (!tree.is_object()) return nullptr;
  if (const auto it = tree.find(path); it != tree.end()) return &*it;
  for (size_t dot = path.rfind('.'); dot != std::string::npos && dot > 0;
       dot = path.rfind('.', dot - 1)) {
    const auto it = tree.find(path.substr(0, dot));
    if (it == tree.end()) continue;
    if (const Json* found = Find(*it, path.substr(dot + 1))) return found;
  }
  return nullptr;
}

void ListNames(const Json& tree, const std::string& prefix, std::string* out) {
  for (const auto& [name, value] : tree.items()) {
    if (value.is_object() && !value.empty()) {
      ListNames(value, prefix + name + ".", out);
    } else {
      *out += (out->empty() ? "" : ", ") + prefix + name;
    }
  }
}

std::string TypeOf(const Json& value) {
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a double";
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "a boolean";
  if (value.is_array()) return "a list";
  return value.is_object() ? "a map" : "null";
}

}  // namespace

struct Hparams::Tree {
  const Json& At(const std::string& name) const {
    if (const Json* found = Find(root, name)) return *found;
    std::string names;
    ListNames(root, "", &names);
    throw Error("there is no hyperparameter " + Quote(name) + "; there " +
                (names.empty() ? "are none" : "are " + names));
  }
  [[noreturn]] void WrongType(const std::string& name, const std::string& asked) const {
    const Json& value = At(name);
    throw Error("the hyperparameter " + Quote(name) + " is " + TypeOf(value) + " (" +
                value.dump(-1, ' ', false, Json::error_handler_t::replace) + "), not " + asked);
  }

  Json root;
};

Hparams::Hparams(std::string json) : json_(std::move(json)) {
  auto tree = std::make_unique<Tree>();
  tree->root = Json::parse(json_, nullptr, false);
  if (!tree->root.is_object()) throw Error("the hyperparameters are not a JSON object");
  tree_ = std::move(tree);
}

Hparams::~Hparams() = default;

bool Hparams::Has(const std::string& name) const {
  const Json* found = Find(tree_->root, name);
  return found != nullptr && !found->is_null();
}

double Hparams::Double(const std::string& name) const {
  const Json& value = tree_->At(name);
  if (!value.is_number()) tree_->WrongType(name, "a double");
  return value.get<double>();
}

int64_t Hparams::Int(const std::string& name) const {
  const Json& value = tree_->At(name);
  if (!value.is_number_integer()) tree_->WrongType(name, "an integer");
  return value.get<int64_t>();
}

bool Hparams::Bool(const std::string& name) const {
  const Json& value = tree_->At(name);
  if (!value.is_boolean()) tree_->WrongType(name, "a boolean");
  return value.get<bool>();
}

std::string Hparams::String(const std::string& name) const {
  const Json& value = tree_->At(name);
  if (!value.is_string()) tree_->WrongType(name, "a string");
  return value.get<std::string>();
}

std::string WithHparam(const std::string& json, const std::string& name, const std::string& text) {
  Json root = Json::parse(json, nullptr, false);
  if (!root.is_object()) throw Error("the hyperparameters are not a JSON object");
  Json* at = &root;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t dot = std::min(name.find('.', begin), name.size());
    if (!at->is_object()) *at = Json::object();
    at = &(*at)[name.substr(begin, dot - begin)];
    begin = dot + 1;
  }
  const Json value = Json::parse(text, nullptr, false);
  *at = value.is_discarded() ? Json(text) : value;
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace det::harness
