#pragma once

#include <string>

namespace det::filter {

// The jsonb that `part` gives as float8; NULL where it is no number.
std::string JsonNumber(const std::string& part);

}  // namespace det::filter
