#include "common/base/map_reader.h"

#include <algorithm>
#include <cmath>

#include "common/base/nearest.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"

namespace det {

bool HasErrors(const Problems& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& problem) {
    return problem.severity == Problem::Severity::kError;
  });
}

std::string JoinPath(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : StrCat(path, ".", key);
}

namespace {

// `path` grows and shrinks in place: a copy for every value would be a lot of copying for a long
// one.
void CheckStorableAt(const Value& value, std::string& path, Problems* problems) {
  const auto error = [&](std::string message) {
    if (problems->size() >= kProblemsMax) return;
    problems->push_back({.path = path, .message = std::move(message)});
  };
  const size_t length = path.size();
  if (value.is_string() && value.as_string().find('\0') != std::string::npos) {
    error("contains a NUL byte");
  } else if (value.is_double() && !std::isfinite(value.as_double())) {
    error(StrCat("is ", FormatDouble(value.as_double()), ", must be finite"));
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.as_array().size(); ++i) {
      StrAppend(path, "[", i, "]");
      CheckStorableAt(value.as_array()[i], path, problems);
      path.resize(length);
    }
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) {
      if (key.find('\0') != std::string::npos) error("has a key with a NUL byte");
      StrAppend(path, length == 0 ? "" : ".", key);
      CheckStorableAt(item, path, problems);
      path.resize(length);
    }
  }
}

}  // namespace

void CheckStorable(const Value& value, std::string path, Problems* problems) {
  CheckStorableAt(value, path, problems);
}

MapReader::MapReader(const Value& value, std::string path, Problems* problems)
    : path_(std::move(path)), problems_(problems) {
  if (value.is_object()) {
    map_ = &value;
  } else if (!value.is_null()) {
    problems_->push_back(
        {.path = path_, .message = StrCat("must be a map, not ", value.TypeName())});
  }
}

const Value* MapReader::Take(std::string_view key) {
  known_.emplace_back(key);
  const Value* value = map_ == nullptr ? nullptr : map_->Find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void MapReader::Error(std::string_view key, std::string message, std::string hint) {
  problems_->push_back(
      {.path = PathOf(key), .message = std::move(message), .hint = std::move(hint)});
}

void MapReader::Broken(std::string_view key, std::string message, std::string hint) {
  problems_->push_back(
      {.path = PathOf(key), .rule = true, .message = std::move(message), .hint = std::move(hint)});
}

void MapReader::Warn(std::string_view key, std::string message, std::string hint) {
  problems_->push_back({.severity = Problem::Severity::kWarning,
                        .path = PathOf(key),
                        .message = std::move(message),
                        .hint = std::move(hint)});
}

void MapReader::Required(std::string_view key) {
  if (Take(key) != nullptr || map_ == nullptr) return;
  problems_->push_back({.path = path_, .message = StrCat("the key \"", key, "\" is required")});
}

namespace {

// Why the value is no storable string; "" when it is one.
std::string StringFault(const Value& value) {
  if (!value.is_string()) return StrCat("must be a string, not ", value.TypeName());
  return value.as_string().find('\0') == std::string::npos ? "" : "contains a NUL byte";
}

std::string TooLong(size_t bytes, int64_t bytes_max) {
  if (static_cast<int64_t>(bytes) <= bytes_max) return "";
  return StrCat("is ", bytes, " bytes long, at most ", bytes_max, " are allowed");
}

}  // namespace

void MapReader::String(std::string_view key, int64_t bytes_max, std::string* out) {
  const Value* value = Take(key);
  if (value == nullptr) return;
  if (std::string fault = StringFault(*value); !fault.empty()) {
    return Error(key, std::move(fault));
  }
  *out = value->as_string();
  if (std::string broken = TooLong(out->size(), bytes_max); !broken.empty()) {
    Broken(key, std::move(broken));
  }
}

void MapReader::Line(std::string_view key, int64_t bytes_max, std::string* out) {
  String(key, bytes_max, out);
  if (const Value* value = Take(key); value == nullptr || !value->is_string()) return;
  if (HasControls(*out)) {
    Broken(key, "contains a control character", "write it on one line, in UTF-8");
  }
}

void MapReader::StringList(std::string_view key,
                           int64_t count_max,
                           int64_t bytes_max,
                           std::vector<std::string>* out) {
  const Value* value = Take(key);
  if (value == nullptr) return;
  if (!value->is_array()) {
    return Error(key, StrCat("must be a list of strings, not ", value->TypeName()));
  }
  const Value::Array& items = value->as_array();
  if (static_cast<int64_t>(items.size()) > count_max) {
    Broken(key, StrCat("has ", items.size(), " items, at most ", count_max, " are allowed"));
  }
  for (size_t i = 0; i < items.size(); ++i) {
    const bool full = problems_->size() >= kProblemsMax;
    if (std::string fault = StringFault(items[i]); !fault.empty()) {
      if (!full) Error(StrCat(key, "[", i, "]"), std::move(fault));
      continue;
    }
    out->push_back(items[i].as_string());
    std::string broken = TooLong(out->back().size(), bytes_max);
    if (!broken.empty() && !full) Broken(StrCat(key, "[", i, "]"), std::move(broken));
  }
}

void MapReader::Bool(std::string_view key, bool* out) {
  const Value* value = Take(key);
  if (value == nullptr) return;
  if (value->is_bool()) {
    *out = value->as_bool();
  } else {
    Error(key, StrCat("must be true or false, not ", value->TypeName()));
  }
}

std::optional<int64_t> MapReader::TakeInt(std::string_view key, int64_t min, int64_t max) {
  const Value* value = Take(key);
  if (value == nullptr) return std::nullopt;
  // 16.0 and 1e3 are whole numbers to their authors.
  std::optional<int64_t> number;
  if (value->is_int()) number = value->as_int();
  if (value->is_double() && value->as_double() == std::floor(value->as_double()) &&
      std::fabs(value->as_double()) < 0x1.0p53) {
    number = static_cast<int64_t>(value->as_double());
  }
  if (!number.has_value()) {
    Error(key,
          StrCat("must be a whole number, not ",
                 value->is_double() ? FormatDouble(value->as_double())
                                    : std::string(value->TypeName())));
  } else if (*number < min || *number > max) {
    Broken(key, StrCat("is ", *number, ", must be from ", min, " to ", max));
  }
  return number;
}

void MapReader::Int(std::string_view key, int64_t min, int64_t max, int64_t* out) {
  if (const std::optional<int64_t> number = TakeInt(key, min, max)) *out = *number;
}

void MapReader::OptionalInt(std::string_view key,
                            int64_t min,
                            int64_t max,
                            std::optional<int64_t>* out) {
  if (const std::optional<int64_t> number = TakeInt(key, min, max)) *out = number;
}

void MapReader::Number(std::string_view key, double* out) {
  const Value* value = Take(key);
  if (value == nullptr) return;
  if (!value->is_number()) {
    Error(key, StrCat("must be a number, not ", value->TypeName()));
  } else if (!std::isfinite(value->as_number())) {
    Error(key, StrCat("is ", FormatDouble(value->as_number()), ", must be finite"));
  } else {
    *out = value->as_number();
  }
}

int MapReader::EnumIndex(std::string_view key, const std::vector<std::string>& names) {
  const Value* value = Take(key);
  if (value == nullptr) return -1;
  const auto quoted = [](const std::string& name) { return StrCat("\"", name, "\""); };
  const std::string all = StrJoin(names, ", ", quoted);
  if (!value->is_string()) {
    Error(key, StrCat("must be one of ", all, ", not ", value->TypeName()));
    return -1;
  }
  const auto it = std::find(names.begin(), names.end(), value->as_string());
  if (it != names.end()) return static_cast<int>(it - names.begin());
  const std::string nearest = Nearest(value->as_string(), names);
  Error(key,
        StrCat(QuoteJson(value->as_string()), " is not one of ", all),
        nearest.empty() ? "" : StrCat("did you mean \"", nearest, "\"?"));
  return -1;
}

void MapReader::NotYet(std::string_view key) {
  if (Take(key) != nullptr) Warn(key, "is accepted but has no effect in this version");
}

void MapReader::Ignore(std::string_view key) {
  Take(key);
}

void MapReader::Finish() {
  if (map_ == nullptr) return;
  for (const auto& [key, value] : map_->as_object()) {
    if (problems_->size() >= kProblemsMax) return;
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string nearest = Nearest(key, known_);
    problems_->push_back(
        {.path = PathOf(key),
         .at_key = true,
         .rule = true,
         .message = StrCat("unknown key ", QuoteJson(key)),
         .hint = nearest.empty() ? "" : StrCat("did you mean \"", nearest, "\"?")});
  }
}

}  // namespace det
