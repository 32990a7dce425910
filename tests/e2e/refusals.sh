#!/usr/bin/env bash
# What people and programs do wrong, against a cluster of real processes: each gets an error that
# names the thing and what to do, and the cluster goes on.
#   refusals.sh BINARIES
# shellcheck source=tests/e2e/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh" "$1"
grace=2
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

# run NAME ENTRYPOINT [OVERRIDE...]: runs a trial to its end, and gives the experiment. $extra is
# more of its configuration.
run() {
  local name=$1 entrypoint=$2 override options=()
  shift 2
  for override in "$@"; do options+=(--config "$override"); done
  cat >"$scratch/one.yaml" <<EOF
name: $name
entrypoint: |
  $entrypoint
searcher: {name: single, metric: loss}
max_restarts: 0
${extra:-}
EOF
  det e create "$scratch/one.yaml" "${options[@]}" -o name -q | sed 's,.*/,,'
}
ends_as() { [ "$(det e describe "$1" -o csv --no-headers --columns state)" = "$2" ]; }

# program NAME STATE PATTERN ENTRYPOINT [OVERRIDE...]: the experiment's end, and what is said about
# it by `det why` of its trial and by its log.
program() {
  local name=$1 state=$2 pattern=$3 id
  shift 3
  id=$(run "$name" "$@")
  wait_for 60 "$name's end as $state" ends_as "$id" "$state"
  trial=$(det t ls "$id" -o csv --no-headers --columns id)
  { det why "e$id" && det why "t$trial" && det t logs "$trial"; } >"$scratch/said" 2>&1
  grep -Eaq "$pattern" "$scratch/said" || fail "$name did not say '$pattern' but: $(head -c 3000 "$scratch/said")"
  cases=$((cases + 1))
}

start_cluster

# Programs.
program "missing program" ERROR 'nosuchprogram' './nosuchprogram'
program "exit 1" ERROR 'exit(ed with)? (code|status) 1|exited with 1' 'echo bye; exit 1'
program "killed" ERROR 'SIGKILL|signal 9' 'kill -9 $$'
program "segfault" ERROR 'SIGSEGV|signal 11' 'kill -SEGV $$'
program "silent" COMPLETED 'SEARCH_DONE|search is complete' 'true'
program "binary output" COMPLETED 'after' 'head -c 300000 /dev/urandom; echo; echo after'
program "a line of 1 GB" COMPLETED 'after' 'head -c 1000000000 /dev/zero | tr "\\0" x; echo; echo after'
program "NaN" COMPLETED 'reported' 'echo "{\"det\": {\"validation\": {\"loss\": NaN}, \"steps\": 1}}"; echo reported'
det t metrics "$trial" -o csv --no-headers --columns name,value | grep -qi '^loss,"*nan' ||
  fail "a reported NaN is not stored: $(det t metrics "$trial" -o csv)"
program "a report that is none" COMPLETED 'det: .*begins as a report' 'echo "{\"det\": {\"validation\": 1}}"'
halving='searcher={name: async_halving, metric: loss, max_trials: 2, max_time: 4, time_metric: batches, num_rungs: 1}'
program "metric missing" ERROR 'loss' 'echo "{\"det\": {\"validation\": {\"other\": 1, \"batches\": 1}, \"steps\": 1}}"; sleep 20' "$halving"
# Its configuration fits into no variable.
extra="hyperparameters: {which: {type: categorical, vals: [$(seq -s, -f category-number-%.0f 1 8000)]}}"
program "8000 categories" COMPLETED 'category-number-8000' \
  'test -z "$DET_EXPERIMENT_CONFIG" && grep -o category-number-8000 "$DET_EXPERIMENT_CONFIG_FILE"'
extra=

# A model directory that agents refuse, with a name that is cut within a character by whoever counts
# bytes: the refusal arrives, and the agent stays.
deep=$scratch/deep$(printf '/\303\251%.0s' $(seq 204))
mkdir -p "$deep"
printf 'name: deep\nentrypoint: "true"\nsearcher: {name: single, metric: loss}\nmax_restarts: 0\n' >"$scratch/deep.yaml"
id=$(det e create "$scratch/deep.yaml" "$scratch/deep" -o name -q | sed 's,.*/,,')
wait_for 60 "the end of a refused model directory" ends_as "$id" ERROR
program "after a refusal" COMPLETED 'SEARCH_DONE|search is complete' 'true'

# Words on the command line.
expect 2 'trial' det trail list
expect 3 'experiment 999 does not exist' det e describe 999
expect 1 'nosuch.yaml' det e create "$scratch/nosuch.yaml"
printf 'name: x\nentrypoint: [\n' >"$scratch/broken.yaml"
expect 1 'broken.yaml:[0-9]+' det e create "$scratch/broken.yaml"
printf 'name: x\nentrypont: y\nsearcher: {name: single, metric: loss}\n' >"$scratch/typo.yaml"
expect 1 'entrypoint' det e create "$scratch/typo.yaml"
printf 'name: x\nentrypoint: echo ${hp.lrr}\nhyperparameters: {lr: 0.1}\nsearcher: {name: single, metric: loss}\n' >"$scratch/template.yaml"
expect 1 'lrr' det e create "$scratch/template.yaml"
printf 'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n' >"$scratch/bomb.yaml"
expect 1 'bomb.yaml' det e create "$scratch/bomb.yaml"
printf 'name: x\nsearcher: {name: single, metric: loss}\nentrypoint: ' >"$scratch/long.yaml"
head -c 131072 /dev/zero | tr '\0' x >>"$scratch/long.yaml"
expect 1 'long.yaml:3:13: .*at most 131071' det e create "$scratch/long.yaml"
mkdir "$scratch/model" && ln -s /etc/passwd "$scratch/model/link"
printf 'name: x\nentrypoint: "true"\nsearcher: {name: single, metric: loss}\n' >"$scratch/good.yaml"
expect 1 'link' det e create "$scratch/good.yaml" "$scratch/model"
expect 1 'nosuchdir' det e create "$scratch/good.yaml" "$scratch/nosuchdir"

# Tokens.
expect 4 'token' env DET_TOKEN=wrong-wrong-wrong-wrong "$bin/det" e ls
status=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$http_port/metrics")
[ "$status" = 401 ] || fail "/metrics without a token gave $status"
[ "$(curl -s "http://127.0.0.1:$http_port/healthz")" != "" ] || fail "/healthz says nothing"

# Daemons that can't start.
expect 1 'in use|held by' "$bin/det-master" --config "$scratch/det-master.yaml"
expect 1 'in use|held by' "$bin/det-agent" --config "$scratch/det-agent.yaml"
mkdir -m 711 "$scratch/other"
sed "s,$scratch/master,$scratch/other/master,; s,^log:.*,," "$scratch/det-master.yaml" >"$scratch/port.yaml"
expect 1 'in use' timeout 60 "$bin/det-master" --config "$scratch/port.yaml"
mkdir -p "$scratch/other/old" && echo 0 >"$scratch/other/old/format"
printf 'data_dir: %s\n' "$scratch/other/old" >"$scratch/old.yaml"
expect 1 'another version' "$bin/det-master" --config "$scratch/old.yaml"
printf 'data_dir: /proc/nothing\n' >"$scratch/place.yaml"
expect 1 '/proc/nothing' "$bin/det-master" --config "$scratch/place.yaml"

# Still there, and what was acknowledged too.
[ "$(det e ls -o csv --no-headers | wc -l)" -ge 9 ] || fail "experiments were lost"
stop_cluster
expect 6 'det up' det e ls
say "$cases cases"
