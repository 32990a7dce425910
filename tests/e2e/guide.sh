#!/usr/bin/env bash
# Runs what the guide shows, on a cluster of real processes: guide.sh BINARIES GUIDE EXAMPLES
# Each page's ```sh blocks are one bash script, run in an empty folder that has the examples beside
# it. A command that shall fail says so: `! det ...`. Blocks of another kind are not run.
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
guide=$(cd "$2" && pwd) examples=$(cd "$3" && pwd)

# Each command is printed before it runs, so that a failure shows where the page was.
script_of() {
  printf 'set -euo pipefail\n'
  awk '/^```sh$/ {on = 1; next} /^```/ {on = 0} on' "$1"
}

start_cluster
export PATH=$bin:$PATH
cp -r "$examples" "$scratch/examples"
pages=0
for page in "$guide"/*.md; do
  name=$(basename "$page" .md)
  grep -q '^```sh$' "$page" || continue
  mkdir -p "$scratch/work/$name"
  ln -s "$scratch/examples" "$scratch/work/$name/examples"
  script_of "$page" >"$scratch/$name.sh"
  say "docs/guide/$name.md"
  (cd "$scratch/work/$name" && timeout --foreground 300 bash -x "$scratch/$name.sh") \
    >"$scratch/$name.guide.log" 2>&1 </dev/null || fail "docs/guide/$name.md: a command of it failed"
  pages=$((pages + 1))
done
[ "$pages" -gt 0 ] || fail "no page of the guide has a command"
say "$pages pages of the guide went well"
stop_cluster
