"""A trial without any library of det's: fits a line to noisy points by gradient descent.

    python3 train.py --lr NUMBER

The learning rate is an argument; the other hyperparameters are read from the JSON file that det
names in DET_HPARAMS_FILE, and one of them from its variable in the environment. A line that begins
with {"det": is a report.
"""

import argparse
import json
import math
import os
import random


def hyperparameters():
    path = os.environ.get("DET_HPARAMS_FILE")
    if path is None:  # by hand
        return {"model": {"noise": 0.1}}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def points(count, noise):
    xs = [random.uniform(-1, 1) for _ in range(count)]
    return [(x, 2 * x - 1 + random.gauss(0, noise)) for x in xs]


def loss(weight, bias, data):
    return sum((weight * x + bias - y) * (weight * x + bias - y) for x, y in data) / len(data)


def report(steps, **groups):
    """Prints one report. NaN has no form in JSON but a string; a search takes it for the worst."""
    for name, group in groups.items():
        if isinstance(group, dict):
            groups[name] = {k: v if math.isfinite(v) else "NaN" for k, v in group.items()}
    print(json.dumps({"det": {**groups, "steps": steps}}, separators=(",", ":")), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    lr = parser.parse_args().lr
    momentum = float(os.environ.get("HP_MOMENTUM", "0"))
    random.seed(int(os.environ.get("DET_TRIAL_SEED", "0")))
    data = points(200, hyperparameters()["model"]["noise"])
    training, validation = data[:150], data[150:]
    weight = bias = weight_speed = bias_speed = 0.0
    steps = 50
    for step in range(1, steps + 1):
        errors = [(weight * x + bias - y, x) for x, y in training]
        weight_slope = 2 * sum(e * x for e, x in errors) / len(errors)
        bias_slope = 2 * sum(e for e, _ in errors) / len(errors)
        weight_speed = momentum * weight_speed - lr * weight_slope
        bias_speed = momentum * bias_speed - lr * bias_slope
        weight += weight_speed
        bias += bias_speed
        if step % 10 == 0:
            report(step, training={"loss": loss(weight, bias, training)})
            report(step, validation={"loss": loss(weight, bias, validation)}, progress=step / steps)


if __name__ == "__main__":
    main()
