#!/bin/sh
# Proves that a program which links the library gets libcurl and the C++ runtime from it, and
# nothing that could clash with the program's own: docs/adr/0005.
#   link_test.sh LIBRARY PROGRAM HEADER COMPILER
set -eu
library=$1 program=$2 header=$3 compiler=$4
foreign='grpc|google::protobuf|absl::|boost::|torch::|c10::|spdlog::|YAML::'
status=0

fail() {
  echo "FAILED: $1" >&2
  status=1
}

# Without this, an empty listing would pass for a clean one.
nm -C "$library" | grep -q ' U curl_multi_perform' || fail "nm shows no symbols of $library"
nm -C "$program" | grep -q 'det::harness::Run' || fail "nm shows no symbols of $program"

for file in "$library" "$program"; do
  if nm -C "$file" | grep -E "$foreign" >&2; then
    fail "$file holds or needs symbols of other libraries"
  fi
done

# Sanitizers bring libraries of their own.
needed=$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for name in $needed; do
  case $name in
    libcurl.so.* | libstdc++.so.* | libm.so.* | libgcc_s.so.* | libc.so.* | ld-linux*) ;;
    libasan.so.* | libubsan.so.* | libtsan.so.*) ;;
    *) fail "$program needs $name" ;;
  esac
done
if ldd "$program" | grep -E 'grpc|protobuf|absl|torch' >&2; then
  fail "$program loads other libraries in the end"
fi

# The public header takes C++17, LibTorch's standard, and no file but the standard library's.
"$compiler" -std=c++17 -fsyntax-only -Wall -Wextra -Werror -x c++ -include "$header" /dev/null ||
  fail "$header does not compile as C++17"
if grep -E '^ *# *include' "$header" | grep -vE '^#include <[a-z_]+>$' >&2; then
  fail "$header includes more than the standard library"
fi
exit $status
