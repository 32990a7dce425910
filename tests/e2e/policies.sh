#!/usr/bin/env bash
# Three users under each policy, each pool with 4 agents, on real processes: who holds how many slots,
# who is told to leave, and who goes on, as worked out by hand in tests/golden/core.
#   policies.sh BINARIES
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
slots=1

write_pools() {
  cat >>"$scratch/det-master.yaml" <<EOF
resource_pools:
  - {pool_name: queue, scheduler: {type: fifo}}
  - {pool_name: ranks, scheduler: {type: priority, preemption: true}}
  - {pool_name: shares, scheduler: {type: fair_share, preemption: true}}
EOF
}

# agent POOL NAME SLOTS
agent() {
  local config=$scratch/$1-$2.yaml
  sed -e "s,agent_id: .*,agent_id: $1-$2," -e "s,slots: .*,slots: $3," \
    -e "s,data_dir: .*,data_dir: $scratch/$1-$2," -e "s,/agent.log,/$1-$2.log," "$scratch/det-agent.yaml" >"$config"
  echo "pool: $1" >>"$config"
  "$bin/det-agent" --config "$config" >>"$scratch/$1-$2.out.log" 2>&1 &
}

# A trial that works until $scratch/end.TRIAL is there. Told to leave, it leaves at once; what it has
# done lies in a file, where its next run takes it up.
write_trial() {
  mkdir -p "$scratch/context" "$scratch/done"
  chmod 777 "$scratch/done"
  cat >"$scratch/context/train.sh" <<'EOF'
trap 'exit 0' TERM
work=$1/done/$DET_TRIAL_ID
echo "run" >>"$work"
echo '{"det":{"training":{"loss":1},"steps":1}}'
while [ ! -e "$1/end.$DET_TRIAL_ID" ]; do sleep 0.1; done
echo '{"det":{"validation":{"loss":0.5},"steps":2}}'
EOF
}

# as USER COMMAND...
as() {
  local user=$1
  shift
  det --token-file "$scratch/$user.token" "$@"
}
# submit USER POOL TRIALS [OVERRIDE...]: gives the experiment.
submit() {
  local user=$1 pool=$2 trials=$3
  shift 3
  local overrides=() override
  for override in "$@"; do overrides+=(--config "$override"); done
  cat >"$scratch/one.yaml" <<EOF
name: $user in $pool
entrypoint: sh train.sh $scratch
searcher: {name: random, metric: loss, max_trials: $trials, max_concurrent_trials: $trials}
resources: {resource_pool: $pool}
max_restarts: 0
preemption_timeout: 60
EOF
  as "$user" e create "$scratch/one.yaml" "$scratch/context" "${overrides[@]}" -o name -q | sed 's,.*/,,'
}

running() { det t ls "$1" --filter 'state = RUNNING' -o csv --no-headers --columns id | wc -l; }
holds() { [ "$(running "$1")" = "$2" ]; }
# hold EXPERIMENT N [EXPERIMENT N...]: comes to that, and is that for all of them at once.
all_hold() {
  while [ $# -gt 0 ]; do
    holds "$1" "$2" || return 1
    shift 2
  done
}
hold() { wait_for 90 "experiments running trials as in '$*'" all_hold "$@"; }
# finish EXPERIMENT N: that many of its running trials end, the oldest first.
finish() {
  local trial
  for trial in $(det t ls "$1" --filter 'state = RUNNING' -o csv --no-headers --columns id | sort -n | head -n "$2"); do
    touch "$scratch/end.$trial"
    wait_for 60 "trial $trial's end" ended "$trial"
  done
}
ended() { [ "$(det t describe "$1" -o csv --no-headers --columns state)" = COMPLETED ]; }
trials_of() { det t ls "$1" -o csv --no-headers --columns id | sort -n; }
# ends EXPERIMENT...: what is left ends well, whatever was sent away with no restart counted.
ends() {
  local id trial
  for id in "$@"; do
    for trial in $(trials_of "$id"); do touch "$scratch/end.$trial"; done
  done
  for id in "$@"; do
    det e wait "$id" -q || fail "experiment $id did not end well"
    det t ls "$id" -o csv --no-headers --columns restarts | grep -vx 0 && fail "a trial of $id was restarted"
  done
  return 0
}
connected() { [ "$(det agent list --filter 'state = CONNECTED' -o csv --no-headers | wc -l)" = "$1" ]; }

eval "$(declare -f write_configs | sed 's/^write_configs/write_base_configs/')"
write_configs() {
  write_base_configs
  write_pools
}
start_cluster
write_trial
for name in a b c d; do
  agent queue "$name" 2
  agent ranks "$name" 1
  agent shares "$name" 2
done
wait_for 60 "13 agents' connections" connected 13
for user in ann bob cyd; do
  det user create "$user" -q
  det token create e2e --user "$user" -o name >"$scratch/$user.token"
done

# First come, first served; 8 slots. ann's 6 and bob's first (2 slots) run; cyd, whose priority means
# nothing here, waits behind bob's second, and nobody is told to leave.
ann=$(submit ann queue 6)
hold "$ann" 6
bob=$(submit bob queue 2 resources.slots_per_trial=2)
hold "$ann" 6 "$bob" 1
cyd=$(submit cyd queue 1 resources.priority=1)
det why "e$cyd" | grep -q 'ahead' || fail "why says nothing of who is ahead of cyd: $(det why "e$cyd")"
# Room for one is kept for bob's 2 slots on one agent; then it is his, and the next end is cyd's.
first=$(det t ls "$ann" -o csv --no-headers --columns id,agent | sort -t, -k2,2 -k1,1n | head -n 2 | cut -d, -f1)
for trial in $first; do
  hold "$cyd" 0
  touch "$scratch/end.$trial"
  wait_for 60 "trial $trial's end" ended "$trial"
done
hold "$ann" 4 "$bob" 2 "$cyd" 0
finish "$ann" 1
hold "$ann" 3 "$bob" 2 "$cyd" 1
ends "$ann" "$bob" "$cyd"
say "fifo: as by hand"

# By priority with preemption; 4 slots. ann (50) has all 4; bob (42) takes 2 of them; cyd (10) takes
# 3, of which one is ann's last but one; bob's second waits then for ann's last: 3, 1, 0.
ann=$(submit ann ranks 4 resources.priority=50)
hold "$ann" 4
bob=$(submit bob ranks 2)
hold "$ann" 2 "$bob" 2
cyd=$(submit cyd ranks 3 resources.priority=10)
hold "$ann" 0 "$bob" 1 "$cyd" 3
det why "e$ann" | grep -q 'ahead' || fail "why says nothing of who is ahead of ann: $(det why "e$ann")"
finish "$cyd" 1
hold "$ann" 0 "$bob" 2 "$cyd" 2
finish "$cyd" 2
hold "$ann" 2 "$bob" 2
for trial in $(det t ls "$ann" --filter 'state = RUNNING' -o csv --no-headers --columns id); do
  [ "$(wc -l <"$scratch/done/$trial")" = 2 ] || fail "trial $trial of ann's is not in its second run"
done
finish "$bob" 2
hold "$ann" 4
ends "$ann" "$bob" "$cyd"
say "priority: as by hand"

# Shares; 8 slots. ann alone has 8. bob comes with max_slots 3: 5 and 3. cyd has weight 2: 8 * 1/4,
# 1/4, 2/4. When cyd's are gone it is 5 and 3 again.
ann=$(submit ann shares 8)
hold "$ann" 8
bob=$(submit bob shares 8 resources.max_slots=3)
hold "$ann" 5 "$bob" 3
cyd=$(submit cyd shares 4 resources.weight=2)
hold "$ann" 2 "$bob" 2 "$cyd" 4
finish "$cyd" 4
hold "$ann" 5 "$bob" 3 "$cyd" 0
ends "$ann" "$bob" "$cyd"
say "fair_share: as by hand"

say "policies: done"
