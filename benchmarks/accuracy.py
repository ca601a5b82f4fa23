"""Test accuracy and speed of whole trainings by two versions of the code, with the same data and seeds.

    python benchmarks/accuracy.py benchmarks/accuracy-before-after.json RECIPE SEEDS BEFORE AFTER

RECIPE may have options, such as "commands-delays:words20 --budget.epochs 8". BEFORE and AFTER are checkouts, which take turns. Each
training runs in a process of its own on one thread, and the networks are evaluated on the test split. Clips per second count the processor
time of the steps of every epoch but the first, in which loops are compiled.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CODE = """
import json, statistics, sys, time
from dendrix.cli import main
from dendrix.train.sequence.learner import SequenceLearner
train, seconds, clips = SequenceLearner.train, [], []
def timed(learner, progress):
    start = time.process_time()
    found = train(learner, progress)
    seconds.append(time.process_time() - start)
    clips.append(sum(len(batch) for batch in learner.order))
    return found
SequenceLearner.train = timed
name, seed, run, out = sys.argv[1:]
assert main(["train", *name.split(), "--seed", seed, "--out", run, "--no-report"]) == 0
rates = [count / time for count, time in zip(clips[1:], seconds[1:])]
json.dump({"clips": clips[0], "epochs": len(clips), "clips_per_second": statistics.median(rates)}, open(out, "w"))
"""


def commit(checkout: Path) -> str:
    """The commit of a checkout."""
    told = subprocess.run(["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"], check=True, stdout=subprocess.PIPE, text=True)
    return told.stdout.strip()


def trained(checkout: Path, recipe: str, seed: int) -> dict[str, float]:
    """Train and evaluate with the code of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as home:
        run, out = Path(home, "run"), Path(home, "found.json")
        words = [recipe, str(seed), str(run), str(out)]
        subprocess.run([sys.executable, "-c", CODE, *words], env=environment, check=True, stdout=sys.stderr)
        command = [sys.executable, "-m", "dendrix", "evaluate", str(run), "--json"]
        told = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        found: dict[str, float] = json.loads(out.read_text())
        return {"seed": seed, "test_accuracy": json.loads(told.stdout)["accuracy"], **found}


def table(results: dict[str, Any]) -> str:
    """The results in Markdown: mean and standard deviation over the seeds that both versions have."""
    lines = ["| recipe | seeds | test accuracy, before | now | clips per second, before | now | ratio |", "|---|---|---|---|---|---|---|"]
    for recipe, found in results.items():
        pairs = list(zip(found["before"]["runs"], found["after"]["runs"], strict=False))
        cells = [recipe, str(len(pairs))]
        for side in zip(*pairs, strict=True):
            right = [100 * run["test_accuracy"] for run in side]
            cells.append(f"{statistics.mean(right):.1f} ± {statistics.stdev(right):.1f} %")
        rates = [statistics.mean(run["clips_per_second"] for run in side) for side in zip(*pairs, strict=True)]
        lines.append(f"| {' | '.join([*cells, *(f'{rate:.0f}' for rate in rates), f'{rates[1] / rates[0]:.2f}'])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train with each seed by both checkouts, and write after every training."""
    out, recipe, seeds, *checkouts = sys.argv[1:]
    results = json.loads(Path(out).read_text()) if Path(out).exists() else {}
    sides = {label: Path(checkout).resolve() for label, checkout in zip(("before", "after"), checkouts, strict=True)}
    found = {label: {"commit": commit(checkout), "runs": []} for label, checkout in sides.items()}
    for seed in range(int(seeds)):
        for label, checkout in sides.items():
            found[label]["runs"].append(trained(checkout, recipe, seed))
            results[recipe] = found
            Path(out).write_text(json.dumps(results, indent=1) + "\n")
    print(table(results), end="")


if __name__ == "__main__":
    main()
