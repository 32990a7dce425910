#include "common/json/json.h"

#include <cmath>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det {
namespace {

using Sax = nlohmann::json_sax<nlohmann::json>;

absl::Status JsonError(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_JSON", StrCat("invalid JSON: ", what));
}

// Builds a Value from the parser's events; stops at the first thing that is not allowed.
class Builder : public Sax {
 public:
  explicit Builder(int depth_max) : depth_max_(depth_max) {}

  bool null() override { return Put(Value()); }
  bool boolean(bool value) override { return Put(Value(value)); }
  bool number_integer(number_integer_t value) override { return Put(Value(int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<uint64_t>(INT64_MAX)) return Put(Value(static_cast<int64_t>(value)));
    return Put(Value(static_cast<double>(value)));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!std::isfinite(value)) return Fail(StrCat("number ", text, " is out of range"));
    return Put(Value(value));
  }
  bool string(string_t& value) override { return Put(Value(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return Fail("binary data"); }
  bool start_object(std::size_t /*elements*/) override { return Open(Value(Value::Object{})); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t /*elements*/) override { return Open(Value(Value::Array{})); }
  bool end_array() override { return Close(); }
  bool key(string_t& key) override {
    if (open_.back().Find(key) != nullptr) {
      return Fail(StrCat("duplicate key ", QuoteJson(key)));
    }
    keys_.back() = std::move(key);
    return true;
  }
  bool parse_error(std::size_t position,
                   const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    std::string_view what = error.what();
    if (const size_t at = what.find("syntax error"); at != std::string_view::npos) {
      what = what.substr(at);
    }
    return Fail(StrCat("at byte ", position, ": ", what));
  }

  absl::StatusOr<Value> Finish() {
    if (!error_.ok()) return error_;
    return std::move(root_);
  }

 private:
  bool Fail(std::string_view what) {
    if (error_.ok()) error_ = JsonError(what);
    return false;
  }

  bool Put(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().as_array().push_back(std::move(value));
    } else {
      open_.back()[keys_.back()] = std::move(value);
    }
    return true;
  }

  bool Open(Value value) {
    if (static_cast<int>(open_.size()) >= depth_max_) {
      return Fail(StrCat("nested deeper than ", depth_max_, " levels"));
    }
    open_.push_back(std::move(value));
    keys_.emplace_back();
    return true;
  }

  bool Close() {
    Value value = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return Put(std::move(value));
  }

  const int depth_max_;
  std::vector<Value> open_;
  std::vector<std::string> keys_;
  Value root_;
  absl::Status error_;
};

}  // namespace

absl::StatusOr<Value> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return JsonError(StrCat(text.size(), " bytes, at most ", limits.bytes_max, " are allowed"));
  }
  Builder builder(limits.depth_max);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.Finish();
}

}  // namespace det
