# A cluster of real processes, for the scripts beside this file:
#   . cluster.sh BINARIES
# Everything lies in $scratch; whatever still runs at the end is killed.
set -euo pipefail
bin=$(cd "$1" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/det-e2e.XXXXXX")
chmod 711 "$scratch"  # PostgreSQL runs as a user of its own where this runs as root
export XDG_CONFIG_HOME=$scratch/config DET_COLOR=never
unset DET_MASTER DET_TOKEN || true
det() { command timeout --foreground "${DET_TIMEOUT:-60}" "$bin/det" "$@"; }

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "FAILED: $*"
  for log in "$scratch"/*.log; do
    [ -s "$log" ] || continue
    say "--- the end of ${log##*/}"
    tail -n 25 "$log" >&2
  done
  exit 1
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || fail "$what did not come about"
    read -rt 0.05 <> <(:) || true
  done
}
pause() { read -rt "$1" <> <(:) || true; }

# The newest process of a program that works in the scratch folder.
pid_of() { pgrep -nf "^$bin/$1 --config $scratch/$1.yaml"; }
postmaster() { head -n 1 "$scratch/master/postgres/data/postmaster.pid" 2>/dev/null; }

write_configs() {
  cat >"$scratch/det-master.yaml" <<EOF
data_dir: $scratch/master
listen: {grpc_port: ${grpc_port:-0}, http_port: ${http_port:-0}}
log: {file: $scratch/master.log}
EOF
  cat >"$scratch/det-agent.yaml" <<EOF
data_dir: $scratch/agent
master: 127.0.0.1:$grpc_port
join_token_file: $scratch/master/tokens/agent
agent_id: e2e
slots: ${slots:-2}
stop_grace_seconds: ${grace:-30}
log: {file: $scratch/agent.log}
EOF
}

# Keeps a program running, as systemd would, until $scratch/stop appears.
keep() {
  local program=$1
  while [ ! -e "$scratch/stop" ]; do
    "$bin/$program" --config "$scratch/$program.yaml" >>"$scratch/$program.out.log" 2>&1 || true
    pause 0.05
  done
}

member() { sed -n "s/.*\"$2\":\"\\{0,1\\}\\([^,\"}]*\\).*/\\1/p" "$1"; }

start_cluster() {
  grpc_port=0
  write_configs
  keep det-master &
  wait_for 60 "det-master's ready file" test -s "$scratch/master/master.json"
  # From now on its ports are fixed, so that it can be found again.
  grpc_port=$(member "$scratch/master/master.json" grpc_port)
  http_port=$(member "$scratch/master/master.json" http_port)
  write_configs
  keep det-agent &
  mkdir -p "$XDG_CONFIG_HOME/det"
  printf '{"master":"127.0.0.1:%s","token_file":"%s"}' "$grpc_port" "$scratch/master/tokens/admin" \
    >"$XDG_CONFIG_HOME/det/current.json"
  wait_for 60 "the agent's connection" agent_connected
}
agent_connected() { det agent list -o csv | grep -q CONNECTED; }

stop_cluster() {
  touch "$scratch/stop"
  local pid
  for program in det-agent det-master; do
    for pid in $(pgrep -f "^$bin/$program --config $scratch/$program.yaml"); do kill "$pid" || true; done
  done
  wait
  rm "$scratch/stop"
}

clean_up() {
  local status=$? pid
  touch "$scratch/stop"
  for pid in $(pgrep -f "$scratch/" || true); do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  ! mountpoint -q "$scratch" || umount -l "$scratch"
  rm -rf "$scratch"
  exit "$status"
}
trap clean_up EXIT
