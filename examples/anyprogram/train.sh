#!/bin/sh
# A trial without any library: minimises (x - 3)^2 by gradient descent with momentum.
#   sh train.sh --lr NUMBER
# The learning rate is an argument, the momentum comes from the environment: det sets HP_MOMENTUM.
# A line that begins with {"det": is a report.
set -eu

lr=0.1
while [ $# -gt 0 ]; do
  case $1 in
    --lr) lr=$2; shift 2 ;;
    *) echo "unknown argument: $1" >&2; exit 2 ;;
  esac
done

echo "trial ${DET_TRIAL_ID:-by hand}: lr $lr, momentum ${HP_MOMENTUM:-0}"
awk -v lr="$lr" -v momentum="${HP_MOMENTUM:-0}" 'BEGIN {
  x = 0; speed = 0; steps = 40
  for (step = 1; step <= steps; ++step) {
    speed = momentum * speed - lr * 2 * (x - 3)
    x += speed
    printf "{\"det\":{\"training\":{\"loss\":%.6g},\"steps\":%d}}\n", (x - 3) ^ 2, step
    if (step % 10 == 0) {
      printf "{\"det\":{\"validation\":{\"loss\":%.6g},\"progress\":%.2f,\"steps\":%d}}\n",
             (x - 3) ^ 2, step / steps, step
    }
  }
}'
