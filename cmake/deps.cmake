# Third-party packages, all from Debian 12. Protobuf comes before Torch: Torch's own configuration would
# otherwise define a dummy protobuf target that breaks gRPC's.
set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl REQUIRED)
find_package(yaml-cpp REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)  # Debian 12's names it without a namespace
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PQXX REQUIRED IMPORTED_TARGET libpqxx)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)
find_package(Boost 1.81 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_library(DET_RAPIDCHECK rapidcheck REQUIRED)
add_library(rapidcheck::rapidcheck INTERFACE IMPORTED)
target_link_libraries(rapidcheck::rapidcheck INTERFACE ${DET_RAPIDCHECK})

find_program(DET_PROTOC protoc REQUIRED)
find_program(DET_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)

# LibTorch is optional: with it the digits example is built. Under a sanitizer it is left out, since
# Debian's build is not instrumented, and so it is with clang, which can't compile its headers as
# C++20.
if(NOT DET_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  find_package(Torch QUIET)
endif()
