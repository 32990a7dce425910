#!/usr/bin/env bash
# Kills master, agent and PostgreSQL with SIGKILL at random instants of the demo's search, and then
# looks whether anybody could tell:
#   chaos.sh BINARIES CONTEXT CONFIG [KILLS_EACH] [SEED]
# - every trial's restarts are 0,
# - every validation that a trial was told is reported is stored, once, and the search heard of it,
# - the trials and their hyperparameters are those of an undisturbed run,
# - the journal, replayed from its first event, gives the live state.
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
context=$2 config=$3 kills=${4:-10}
RANDOM=${5:-$$}
say "seed ${5:-$$}"

submit() {
  local folder=$1
  mkdir -p "$folder"
  det e create "$config" "$context" -o name \
    --config "entrypoint=./digits --reported $folder/\$DET_TRIAL_ID" 2>/dev/null
}
state_of() { det e describe "$1" -o csv --columns state --no-headers; }
is_over() { case $(state_of "$1") in COMPLETED | ERROR | CANCELED) ;; *) return 1 ;; esac; }
trials_of() { det t ls "$1" -o csv --no-headers --sort id --columns "$2"; }

kill_one() {
  local pid=
  case $1 in
    master) pid=$(pid_of det-master) ;;
    agent) pid=$(pid_of det-agent) ;;
    postgres) pid=$(postmaster) ;;
  esac || true
  [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
}

# A random order of $kills of each, at random distances.
kill_all_of_them() {
  local order target
  order=$(for target in master agent postgres; do
    for _ in $(seq "$kills"); do echo "$RANDOM $target"; done
  done | sort -n | cut -d' ' -f2)
  for target in $order; do
    pause "0.$((RANDOM % 800 + 100))"
    until kill_one "$target"; do pause 0.05; done
    echo "$target" >>"$scratch/killed"
  done
}

check_reports() {
  local folder=$1 experiment=$2 trial file steps count heard told=0
  trials_of "$experiment" id,latest_steps >"$scratch/heard"
  for file in "$folder"/*; do
    trial=${file##*/}
    heard=$(sed -n "s/^$trial,//p" "$scratch/heard")
    steps=$(sort -n "$file" | tail -n 1)
    [ "$heard" -ge "$steps" ] ||
      fail "trial $trial: the search heard of the validation at $heard, not of that at $steps"
    det t metrics "$trial" --group validation -o csv --no-headers --columns name,steps_completed |
      grep '^accuracy,' | cut -d, -f2 >"$scratch/stored"
    while read -r steps; do
      count=$(grep -cx "$steps" "$scratch/stored" || true)
      [ "$count" = 1 ] || fail "trial $trial: the validation at $steps is stored $count times"
      told=$((told + 1))
    done < <(sort -u "$file")
  done
  say "$told reported validations are stored once each"
}

start_cluster
calm=$(submit "$scratch/calm")
wait_for 120 "the undisturbed run's end" is_over "${calm#*/}"
say "undisturbed: $(state_of "${calm#*/}")"

rough=$(submit "$scratch/rough")
kill_all_of_them
is_over "${rough#*/}" && fail "the search was over before the last kill"
for target in master agent postgres; do say "killed $target $(grep -c "$target" "$scratch/killed") times"; done
wait_for 180 "the disturbed run's end" is_over "${rough#*/}"
say "disturbed: $(state_of "${rough#*/}")"
[ "$(state_of "${rough#*/}")" = COMPLETED ] || fail "the disturbed run did not complete"

trials_of "${rough#*/}" id,restarts,runs | grep -v ',0,1$' && fail "trials were restarted or ran twice"
diff <(trials_of "${calm#*/}" hparams | sort) <(trials_of "${rough#*/}" hparams | sort) >&2 ||
  fail "the disturbed run made other trials"
say "$(trials_of "${rough#*/}" id | wc -l) trials, none restarted, those of the undisturbed run"
check_reports "$scratch/rough" "${rough#*/}"
stop_cluster
"$bin/det-master" --config "$scratch/det-master.yaml" --verify-journal || fail "the journal's replay differs"
