#!/usr/bin/env bash
# A disk that fills under master and agent while a search reports, and has room again later:
#   full_disk.sh BINARIES
# Needs to mount; elsewhere it is skipped (exit 77).
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
mount -t tmpfs -o size=220m,mode=0711 tmpfs "$scratch" 2>/dev/null || {
  say "skipped: no file system can be mounted here"
  exit 77
}

cat >"$scratch/search.yaml" <<'EOF'
name: full disk
entrypoint: |
  for i in $(seq 300); do
    echo "{\"det\": {\"validation\": {\"loss\": $i}, \"steps\": $i}}"
    sleep 0.05
  done
searcher: {name: random, metric: loss, max_trials: 2}
hyperparameters: {x: {type: double, minval: 0, maxval: 1}}
max_restarts: 0
EOF

start_cluster
id=$(det e create "$scratch/search.yaml" -o name -q)
id=${id#*/}
reported() { [ "$(det t metrics "$1" -o csv --no-headers --limit 1000 | wc -l)" -ge "$2" ]; }
trials() { det t ls "$id" -o csv --no-headers --columns id --sort id; }
trial=$(wait_for 30 "a trial" trials; trials | head -n 1)
wait_for 60 "the first reports" reported "$trial" 5

dd if=/dev/zero of="$scratch/filler" bs=1M 2>/dev/null || true
noticed() { grep -Eq 'a commit failed|ingest can.t write' "$scratch/master.log"; }
wait_for 30 "the master's word about the full disk" noticed
kill -0 "$(pid_of det-agent)" || fail "the agent is gone"
rm "$scratch/filler"

ends() { [ "$(det e describe "$id" -o csv --no-headers --columns state)" = COMPLETED ]; }
wait_for 90 "the search's end" ends
for trial in $(trials); do
  [ "$(det t describe "$trial" -o csv --no-headers --columns restarts)" = 0 ] || fail "trial $trial was restarted"
done
say "the search went on"
stop_cluster
"$bin/det-master" --config "$scratch/det-master.yaml" --verify-journal || fail "the journal's replay differs"
