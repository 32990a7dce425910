#!/bin/sh
# Runs the example by hand: equal runs, of which one in two parts; scoring; errors that are told.
#   digits_test.sh PROGRAM DATA
set -eu
program=$1 data=$2
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

# train OPTIMIZER CHECKPOINTS EPOCHS [MORE]: prints the metrics.
train() {
  optimizer=$1 checkpoints=$2 epochs=$3
  shift 3
  "$program" --data "$data" --seed 7 --checkpoints "$checkpoints" --hp optimizer.name="$optimizer" \
    --hp optimizer.lr=0.01 --hp optimizer.momentum=0.9 --hp optimizer.weight_decay=0.0001 \
    --hp channels=4 --hp dropout=0.25 --hp batch_size=32 --hp epochs="$epochs" "$@"
}

# newest CHECKPOINTS: the folder of the newest checkpoint.
newest() {
  echo "$1/$(sed -n '$ s/.*"uuid":"\([^"]*\)".*/\1/p' "$1/checkpoints.jsonl")"
}

for optimizer in sgd adam; do
  rm -rf whole parts
  train $optimizer whole 2 > whole.txt
  [ "$(grep -c '^validation .*accuracy=.* epochs=' whole.txt)" = 2 ] || fail "no two validations"
  train $optimizer parts 1 > parts.txt
  train $optimizer parts 2 --resume >> parts.txt
  diff whole.txt parts.txt || fail "$optimizer: a run in two parts differs from one in one part"
done

score=$("$program" --data "$data" --score "$(newest whole)")
case $score in
  'test accuracy=0.'[0-9][0-9][0-9][0-9]) ;;
  *) fail "unexpected: $score" ;;
esac

[ "$(train lion refused 1)" = "invalid hyperparameters" ] || fail "lion is no optimizer"
if "$program" --data nowhere.csv.gz --score "$(newest whole)" 2> error.txt; then
  fail "data from nowhere"
fi
grep -qx "error: can't open nowhere.csv.gz" error.txt || fail "unclear: $(cat error.txt)"
