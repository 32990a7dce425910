#!/usr/bin/env bash
# What people do with experiments and checkpoints, on a cluster of real processes:
#   journey.sh BINARIES CONTEXT SINGLE_YAML
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
context=$2 config=$3
grace=5

state_of() { det e describe "$1" -o csv --no-headers --columns state; }
is_in() { [ "$(state_of "$1")" = "$2" ]; }
trial_of() { det t ls "$1" -o csv --no-headers --columns id; }
steps_of() { det t ls "$1" -o csv --no-headers --columns latest_steps; }
has_checkpoint() { [ -n "$(det c ls "$1" -o csv --no-headers --columns uuid --limit 1)" ]; }
create() { det e create "$@" -o name -q | sed 's,.*/,,'; }

start_cluster

# Paused, activated, paused while it runs: it leaves its slots with a checkpoint and goes on from it.
id=$(create "$config" "$context" --paused --config hyperparameters.epochs=60)
is_in "$id" PAUSED || fail "--paused made an experiment that is $(state_of "$id")"
det e activate "$id" -q
wait_for 60 "the first checkpoint" has_checkpoint "$id"
det e pause "$id" -q
free() { [ "$(det agent list -o csv --no-headers --columns slots_free)" = 2 ]; }
wait_for 30 "free slots after a pause" free
before=$(steps_of "$id")
det e activate "$id" -q
further() { [ "$(steps_of "$id")" -gt "$before" ]; }
wait_for 60 "progress after the pause" further
status=0
det e wait "$id" -q || status=$?
[ "$status" = 0 ] || fail "det e wait ended with $status: $(det why "$id")"
[ "$(det t describe "$(trial_of "$id")" -o csv --no-headers --columns restarts,runs)" = 0,2 ] ||
  fail "pausing counts as a restart, or the trial did not run twice"

# Its best checkpoint, copied.
uuid=$(det c ls "$id" -o csv --no-headers --columns uuid --limit 1)
det c download "$uuid" -o "$scratch/copy" -q
"$context/digits" --data "$context/digits.csv.gz" --score "$scratch/copy" | grep -q '^test accuracy=0.9' ||
  fail "the copied checkpoint can't be scored"
det t logs "$(trial_of "$id")" >/dev/null || fail "no log"

# Canceled and killed.
for verb in cancel kill; do
  id=$(create "$config" "$context" --config hyperparameters.epochs=2000)
  wait_for 60 "a checkpoint" has_checkpoint "$id"
  det e "$verb" "$id" -q
  wait_for 30 "the end after $verb" is_in "$id" CANCELED
  status=0
  det e wait "$id" -q || status=$?
  [ "$status" = 1 ] || fail "det e wait of a canceled experiment ended with $status"
done
wait_for 30 "free slots after the ends" free
say "the journey went well"
stop_cluster
"$bin/det-master" --config "$scratch/det-master.yaml" --verify-journal
