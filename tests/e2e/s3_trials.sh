#!/usr/bin/env bash
# Trials whose checkpoints are stored in a bucket, on a cluster of real processes and a real S3
# server: what they save outlives them, what goes wrong is told, and nothing is left behind.
#   s3_trials.sh BINARIES CONTEXT SINGLE_YAML SWIFT
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
context=$2 single=$3 swift=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
grace=2
access=det:tester secret=a-key-that-nobody-may-see

# It ends with its standard input, so with this script at the latest.
exec 7> >(exec /usr/bin/python3 "$swift" "$scratch/swift" "$access" "$secret" \
  >"$scratch/s3.out" 2>"$scratch/s3.log")
wait_for 30 "the S3 server" grep -q '^PORT ' "$scratch/s3.out"
url=http://127.0.0.1:$(sed -n 's/^PORT //p' "$scratch/s3.out")
bucket() { /usr/bin/python3 "$here/bucket.py" "$url" "$access" "$secret" trials "$1"; }
bucket make
# The checkpoints, complete or not, of which anything is stored.
stored() { bucket list | sed -n 's,^a/b/\([^/]*\)/.*,\1,p' | sort -u; }
stores() { [ "$(stored | wc -l)" = "$1" ]; }

# config SECRET BUCKET: the digits, with their checkpoints there.
config() {
  cat "$single"
  cat <<EOF
preemption_timeout: 600
checkpoint_storage:
  type: s3
  bucket: $2
  prefix: a/b
  endpoint_url: $url
  access_key: $access
  secret_key: $1
  save_trial_best: 1
  save_trial_latest: 1
EOF
}
config "$secret" trials >"$scratch/s3.yaml"
config not-the-key-at-all trials >"$scratch/wrong_key.yaml"
config "$secret" nowhere >"$scratch/no_bucket.yaml"

create() { det e create "$@" -o name -q | sed 's,.*/,,'; }
state_of() { det e describe "$1" -o csv --no-headers --columns state; }
is_in() { [ "$(state_of "$1")" = "$2" ]; }
becomes() { wait_for "${3:-60}" "experiment $1 being $2" is_in "$1" "$2"; }
trial_of() { det t ls "$1" -o csv --no-headers --columns id | head -n 1; }
checkpoints() { det c ls "$1" -o csv --no-headers --columns uuid,state | sed -n 's/,COMPLETED$//p'; }
saved() { [ "$(checkpoints "$1" | wc -l)" -ge "$2" ]; }
# The processes of trials, by their name.
programs() {
  local folder
  for folder in /proc/[0-9]*; do
    [[ "$(readlink "$folder/cwd" 2>/dev/null)" == "$scratch"/agent/tasks/* ]] || continue
    [ "$(cat "$folder/comm" 2>/dev/null)" = "$1" ] && echo "${folder#/proc/}"
  done
  true
}
log_says() { det t logs "$(trial_of "$1")" | grep -Eq "$2"; }

start_cluster

# A trial saves to the bucket, is killed, and goes on from what it saved, fetched again.
id=$(create "$scratch/s3.yaml" "$context" --config hyperparameters.epochs=40)
wait_for 60 "two checkpoints" saved "$id" 2
pid=$(programs digits | head -n 1)
kill -9 "$pid"
becomes "$id" COMPLETED 120
trial=$(trial_of "$id")
[ "$(det t describe "$trial" -o csv --no-headers --columns restarts,runs)" = 1,2 ] ||
  fail "the trial was not restarted once: $(det t describe "$trial" -o csv)"

# Retention keeps the best and the latest: the others leave the bucket.
kept() { local n; n=$(checkpoints "$id" | wc -l); [ "$n" -le 2 ] && stores "$n"; }
wait_for 60 "retention in the bucket" kept
diff <(checkpoints "$id" | sort) <(stored) >&2 || fail "the bucket does not hold what is recorded"
! find "$scratch"/agent/tasks -path '*/checkpoints/*' -type f | grep -q . || fail "an agent keeps stored checkpoints"

# What people do with one.
uuid=$(checkpoints "$id" | head -n 1)
det c describe "$uuid" | grep -q "s3://trials/a/b/$uuid" || fail "the checkpoint's place is not shown"
export AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret
det c download "$uuid" -o "$scratch/copy" -q
"$context/digits" --data "$context/digits.csv.gz" --score "$scratch/copy" | grep -q '^test accuracy=0.' ||
  fail "the copied checkpoint can't be scored"
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

# Another begins from it; from elsewhere it can't.
warm=$(create "$scratch/s3.yaml" "$context" --config hyperparameters.epochs=9 \
  --config "searcher.source_checkpoint_uuid=$uuid")
becomes "$warm" COMPLETED
det e create "$single" "$context" --config "searcher.source_checkpoint_uuid=$uuid" >"$scratch/said" 2>&1 &&
  fail "a checkpoint was to be loaded from where it is not"
grep -q "s3://trials/a/b/$uuid" "$scratch/said" || fail "it was not said where the checkpoint is: $(cat "$scratch/said")"

# One is removed by hand.
gone=$(checkpoints "$warm" | head -n 1)
det c rm "$gone" --yes -q
left() { ! stored | grep -qx "$gone"; }
wait_for 60 "the removal of $gone" left

# Wrong keys and a missing bucket end the trial, and its log says which, why and what to do.
wrong=$(create "$scratch/wrong_key.yaml" "$context" --config max_restarts=0)
becomes "$wrong" ERROR
log_says "$wrong" 'S3_DENIED.*s3://trials' || fail "wrong keys: $(det t logs "$(trial_of "$wrong")" | tail -n 3)"
missing=$(create "$scratch/no_bucket.yaml" "$context" --config max_restarts=0)
becomes "$missing" ERROR
log_says "$missing" 'S3_NO_SUCH_BUCKET.*nowhere' || fail "no bucket: $(det t logs "$(trial_of "$missing")" | tail -n 3)"

# What goes on keeps its place; its keys may change.
det e continue "$missing" --config checkpoint_storage.bucket=trials >"$scratch/said" 2>&1 &&
  fail "an experiment went on with its checkpoints elsewhere"
grep -q 's3://nowhere/a/b' "$scratch/said" || fail "it was not said where its checkpoints are: $(cat "$scratch/said")"
det e continue "$wrong" --config "checkpoint_storage.secret_key=$secret" --config hyperparameters.epochs=2 -q
becomes "$wrong" COMPLETED

# The server hangs while a trial saves, and comes back: nothing is lost.
server=$(pgrep -f "$swift $scratch/swift" | head -n 1)
slow=$(create "$scratch/s3.yaml" "$context" --config hyperparameters.epochs=6)
wait_for 60 "a checkpoint" saved "$slow" 1
kill -STOP "$server"
pause 3
kill -CONT "$server"
becomes "$slow" COMPLETED 120
[ "$(det t describe "$(trial_of "$slow")" -o csv --no-headers --columns restarts)" = 0 ] ||
  fail "a server that hung cost a restart"

# A trial is killed while it saves, and so is its agent: what is half stored counts nowhere and goes.
half=$(create "$scratch/s3.yaml" "$context" --config hyperparameters.epochs=2000)
wait_for 60 "a checkpoint" saved "$half" 1
uploading() { compgen -G "$scratch/agent/tasks/*/uploads/[0-9a-f]*" >/dev/null; }
# Stopped while one is on its way: its files, or the list of them, are not there yet.
caught() {
  uploading || return 1
  kill -STOP "$server"
  uploading && return 0
  kill -CONT "$server"
  return 1
}
wait_for 60 "a checkpoint on its way" caught
kill -9 "$(pid_of det-agent)"
det e kill "$half" -q
kill -CONT "$server"
becomes "$half" CANCELED
tidy() { diff <(for e in "$id" "$warm" "$wrong" "$slow" "$half"; do checkpoints "$e"; done | sort) <(stored); }
wait_for 120 "a bucket of complete checkpoints alone" tidy

# Deleted experiments leave an empty bucket.
det e delete "$id" "$warm" "$slow" "$half" "$wrong" "$missing" --yes -q
wait_for 120 "an empty bucket" stores 0
[ -z "$(bucket list)" ] || fail "something is left: $(bucket list)"

# The keys were seen nowhere.
seen=$(create "$scratch/s3.yaml" "$context" --config 'entrypoint="env; cat \"$DET_EXPERIMENT_CONFIG_FILE\""')
becomes "$seen" COMPLETED
{
  det t logs "$(trial_of "$seen")"
  det e config "$seen"
  det e describe "$seen" -o json
  cat "$scratch/master.log" "$scratch/agent.log" "$scratch"/*.out.log
} >"$scratch/all_that_was_said"
grep -q DET_CHECKPOINT_DIR "$scratch/all_that_was_said" || fail "the trial did not show its environment"
! grep -q "$secret" "$scratch/all_that_was_said" || fail "the secret key was shown: $(grep -m 1 "$secret" "$scratch/all_that_was_said")"
find "$scratch/agent" -type f -perm /077 -exec grep -l "$secret" {} + >"$scratch/open" || true
[ ! -s "$scratch/open" ] || fail "the secret key lies open in $(cat "$scratch/open")"
say "checkpoints in a bucket went well"
kill "$server"
stop_cluster
"$bin/det-master" --config "$scratch/det-master.yaml" --verify-journal || fail "the journal's replay differs"
