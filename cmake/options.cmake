# Compiler, warnings, sanitizers, and the optional ccache and mold.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(DET_SANITIZE "" CACHE STRING "Sanitizers to build with, as in -fsanitize=")
option(DET_THREAD_SAFETY "Check lock annotations (clang only)" OFF)

option(DET_FUZZ "Build the fuzzers (clang only)" OFF)

# Light optimisation keeps simulation and tests fast; -g1 keeps line numbers at a third of the size.
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
set(CMAKE_C_FLAGS_DEV "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong")

add_library(det_warnings INTERFACE)
target_compile_options(det_warnings INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror
  # Debian's protobuf and gRPC headers mark much as deprecated; a missing field in an aggregate is a
  # default here, not a mistake.
  -Wno-deprecated-declarations -Wno-missing-field-initializers)
# GCC 12 takes the inactive half of absl::StatusOr and std::variant for uninitialized memory; asan and
# clang-tidy look for the real thing.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(det_warnings INTERFACE -Wno-maybe-uninitialized)
endif()
if(DET_THREAD_SAFETY)
  target_compile_options(det_warnings INTERFACE -Wthread-safety)
endif()
# Results must not depend on the machine: no fused multiply-add behind our back.
add_compile_options(-ffp-contract=off)

if(DET_SANITIZE)
  add_compile_options(-fsanitize=${DET_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${DET_SANITIZE})
  if(DET_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

if(DET_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(DET_CCACHE ccache)
if(DET_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${DET_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${DET_CCACHE})
endif()
find_program(DET_MOLD mold)
if(DET_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
