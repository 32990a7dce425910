#!/usr/bin/env bash
# Every verb of an experiment's life in every state, against a cluster of real processes: what works
# works, and what does not says why.
#   verbs.sh BINARIES
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
grace=60
slots=4
cases=0

# expect CODE PATTERN COMMAND...: how the command must end, and what it must say.
expect() {
  local code=$1 pattern=$2 status=0
  shift 2
  "$@" >"$scratch/said" 2>&1 || status=$?
  [ "$status" = "$code" ] || fail "'$*' ended with $status, not $code: $(head -c 2000 "$scratch/said")"
  grep -Eq "$pattern" "$scratch/said" || fail "'$*' did not say '$pattern' but: $(head -c 2000 "$scratch/said")"
  cases=$((cases + 1))
}

# create ENTRYPOINT [OPTION...]: gives the experiment.
create() {
  local entrypoint=$1
  shift
  cat >"$scratch/one.yaml" <<EOF
name: verbs
entrypoint: |
  $entrypoint
searcher: {name: single, metric: loss}
max_restarts: 0
preemption_timeout: 600
EOF
  det e create "$scratch/one.yaml" "$@" -o name -q | sed 's,.*/,,'
}
state_of() { det e describe "$1" -o csv --no-headers --columns state; }
is() { [ "$(state_of "$1")" = "$2" ]; }
becomes() { wait_for 60 "experiment $1 being $2" is "$1" "$2"; }
trial_of() { det t ls "$1" -o csv --no-headers --columns id | head -n 1; }
trial_is() { [ "$(det t describe "$1" -o csv --no-headers --columns state)" = "$2" ]; }
runs() { wait_for 60 "the trial of $1 running" trial_is "$(trial_of "$1")" RUNNING; }

stubborn='trap "" TERM; while :; do sleep 1; done'
start_cluster

# Active.
id=$(create 'sleep 600')
runs "$id"
expect 0 ACTIVE det e activate "$id"
expect 0 'priority is 7' det e set priority "$id" 7
expect 0 'max-slots is 2' det e set max-slots "$id" 2
expect 0 'max-slots is none' det e set max-slots "$id" none
expect 0 'log-retention is 30' det e set log-retention "$id" 30
expect 0 'weight is 2.5' det e set weight "$id" 2.5
expect 1 'priority must be from 1 to 99' det e set priority "$id" 100
expect 2 'priority must be' det e set priority "$id" high
expect 3 'resource pool "nowhere" does not exist' det e set pool "$id" nowhere
expect 5 'ACTIVE.*continued' det e continue "$id"
expect 2 'nothing was done' det e delete "$id"
expect 5 'ACTIVE.*deleted' det e delete "$id" --yes
# By filter: shown first, done with --yes.
expect 2 'nothing was done: det e pause of these 1 experiment' det e pause --filter "id = $id"
is "$id" ACTIVE || fail "a preview paused $id"
expect 0 "experiment $id: label" det e label add --filter "id = $id" --yes urgent
expect 3 'no experiment matches' det e kill --filter 'name = "nobody has this"' --yes
expect 2 'position|\^' det e kill --filter 'name =' --yes
# In the queue.
other=$(create 'sleep 600' --paused)
expect 0 "moved ahead of $id" det job update "$other" --ahead-of "$id"
expect 0 'priority 7' det job list --filter "experiment = $other" -o 'template=priority {priority}'
expect 0 'priority 8, weight 3' det job update-batch "$other.priority=8" "$other.weight=3"
expect 1 'beside itself' det job update "$other" --behind-of "$other"
expect 3 'does not exist or has ended' det job update "$other" --behind-of 99999
det e kill "$other" -q
becomes "$other" CANCELED
expect 5 'CANCELED.*configured' det job update "$other" --priority 3
fork=$(det e fork "$id" --paused -o name -q | sed 's,.*/,,')
is "$fork" PAUSED || fail "a fork that was to be paused is $(state_of "$fork")"

# Paused.
expect 0 PAUSED det e pause "$id"
expect 0 PAUSED det e pause "$id"
expect 0 'priority is 9' det e set priority "$id" 9
expect 5 'PAUSED.*continued' det e continue "$id"
expect 5 'PAUSED.*deleted' det e delete "$id" --yes
expect 0 ACTIVE det e activate "$id"
expect 0 CANCELED det e kill "$fork"

# Stopping: the program ignores that it is told to leave.
stopping=$(create "$stubborn")
runs "$stopping"
expect 0 STOPPING_CANCELED det e cancel "$stopping"
expect 0 STOPPING_CANCELED det e cancel "$stopping"
expect 5 'STOPPING_CANCELED.*paused' det e pause "$stopping"
expect 5 'STOPPING_CANCELED.*activated' det e activate "$stopping"
expect 5 'STOPPING_CANCELED.*continued' det e continue "$stopping"
expect 5 'STOPPING_CANCELED.*deleted' det e delete "$stopping" --yes
expect 0 'STOPPING_KILLED|CANCELED' det e kill "$stopping"
becomes "$stopping" CANCELED
expect 0 CANCELED det e kill "$stopping"

# A trial is killed, and its search hears of it.
killed=$(trial_of "$id")
expect 0 'STOPPING_KILLED|CANCELED' det t kill "$killed"
becomes "$id" CANCELED
expect 0 CANCELED det t kill "$killed"
expect 3 'trial 999 does not exist' det t kill 999

# Ended.
done_id=$(create 'test -e '"$scratch/again"' && exit 0; touch '"$scratch/again"'; exit 3')
becomes "$done_id" ERROR
det why "e$done_id" | grep -q 'code 3' || fail "det why does not name the exit code"
for verb in pause activate cancel kill; do expect 5 'ERROR.*it can.t be' det e "$verb" "$done_id"; done
expect 5 'ERROR.*configured' det e set priority "$done_id" 7
# It goes on, under the same id, with its restarts before it; then it completes.
expect 0 'goes on' det e continue "$done_id" --config max_restarts=1
becomes "$done_id" COMPLETED
expect 5 COMPLETED det e pause "$done_id"
[ "$(det t ls "$done_id" -o csv --no-headers --columns runs)" = 2 ] || fail "a continued trial does not count its runs on"

# A line of its log makes the first failure the last, and the trial says so.
cat >"$scratch/policy.yaml" <<EOF
name: policy
entrypoint: echo "a corrupt record"; exit 1
searcher: {name: single, metric: loss}
max_restarts: 3
log_policies:
  - {name: bad data, pattern: "corrupt rec.rd", action: cancel_retries}
EOF
policy=$(det e create "$scratch/policy.yaml" -o name -q | sed 's,.*/,,')
becomes "$policy" ERROR
expect 0 'log policy matched: bad data' det t describe "$(trial_of "$policy")"
expect 0 'bad data.* cancels retries.*a corrupt record' det why "e$policy"
[ "$(det t ls "$policy" -o csv --no-headers --columns runs)" = 1 ] || fail "a trial whose retries are canceled ran again"

# Many at once: some work.
other=$(create true)
becomes "$other" COMPLETED
expect 8 'COMPLETED|DELET' det e delete "$other" 999 --yes
expect 0 DELET det e delete "$done_id" --yes
gone() { (det e describe "$1" 2>&1 || true) | grep -q "experiment $1 was deleted by admin at"; }
wait_for 60 "the deletion of $done_id" gone "$done_id"

# Deleted: every verb says so.
for verb in pause activate cancel kill continue fork; do
  expect 3 "experiment $done_id was deleted by admin at" det e "$verb" "$done_id"
done
expect 0 DELETED det e delete "$done_id" --yes
! det e ls -o csv --no-headers --columns id | grep -qx "$done_id" || fail "a deleted experiment is listed"

# A restart of the master forgets none of it.
kill -9 "$(pid_of det-master)"
wait_for 60 "the master's return" gone "$done_id"
expect 0 'goes on' det e continue "$stopping"
runs "$stopping"
expect 0 'STOPPING_KILLED|CANCELED' det e kill "$stopping"
becomes "$stopping" CANCELED
stop_cluster
say "$cases cases"
