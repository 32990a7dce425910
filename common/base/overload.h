#pragma once

namespace det {

// Visits a std::variant with one lambda an alternative; a missing alternative does not compile.
template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;

}  // namespace det
