#!/usr/bin/env bash
# Starts a cluster as the units and sample configurations of deploy/ say, but for places and ports:
#   deploy.sh BINARIES DEPLOY
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
deploy=$2

# What the unit runs, with our places for those of an installed system.
command_of() {
  sed -n 's/^ExecStart=//p' "$deploy/systemd/$1.service" | sed "s,/usr/bin/,$bin/,; s,/etc/det/master.yaml,$scratch/det-master.yaml,; s,/etc/det/agent.yaml,$scratch/det-agent.yaml,"
}
for unit in det-master det-agent; do
  [ -n "$(command_of "$unit")" ] || fail "$unit.service starts nothing"
done

sed "s,/var/lib/det,$scratch/lib,; s/_port: [0-9]*/_port: 0/" "$deploy/config/master.yaml" >"$scratch/det-master.yaml"
mkdir -m 711 "$scratch/lib"
# shellcheck disable=SC2046
$(command_of det-master) >"$scratch/det-master.log" 2>&1 &
wait_for 60 "det-master's ready file" test -s "$scratch/lib/master/master.json"
grpc_port=$(member "$scratch/lib/master/master.json" grpc_port)
sed "s,/var/lib/det,$scratch/lib,; s,/etc/det/tokens/agent,$scratch/lib/master/tokens/agent,; s,^master: .*,master: 127.0.0.1:$grpc_port," \
  "$deploy/config/agent.yaml" >"$scratch/det-agent.yaml"
$(command_of det-agent) >"$scratch/det-agent.log" 2>&1 &
mkdir -p "$XDG_CONFIG_HOME/det"
printf '{"master":"127.0.0.1:%s","token_file":"%s"}' "$grpc_port" "$scratch/lib/master/tokens/admin" \
  >"$XDG_CONFIG_HOME/det/current.json"
wait_for 60 "the agent's connection" agent_connected
[ "$(stat -c %a "$scratch/lib/master/tokens/admin")" = 600 ] || fail "the administrator's token is not 0600"

# Every commented key is one that the programs know.
for name in master agent; do
  sed -i 's/^# \([a-z_]*: \)/\1/; s/^  # file:.*//' "$scratch/det-$name.yaml"
done
sed -i '/^db: /d; /^users:/d; /^#   maria/d' "$scratch/det-master.yaml"
for program in det-master det-agent; do
  "$bin/$program" --config "$scratch/$program.yaml" >"$scratch/said" 2>&1 && fail "$program ran twice"
  grep -q 'held by' "$scratch/said" || fail "$program with every sample key says: $(cat "$scratch/said")"
done
# PostgreSQL is stopped by its master, which takes a moment.
kill $(jobs -p)
wait
say "the units and sample configurations work"
