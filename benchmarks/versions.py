"""Training and decoding steps of two versions of dendrix, in one process each, whose rounds alternate.

    python benchmarks/versions.py train OLD/src --out benchmarks/training.json
    python benchmarks/versions.py decode OLD/src --out benchmarks/decode-int8.json

OLD is a checkout of the other version, for example a git worktree. Each round runs every job once in either version, so that other load
affects both; times are processor times of one thread, and ratios are medians over the rounds.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parents[1] / "src"
ROUNDS = {"train": 4, "decode": 8}
FIRES_ONE_IN_EIGHT = 1.2
"""Threshold at which 12 % of the inputs of both untrained networks are active, about as in the trained networks of the text study."""


def training() -> dict[str, Callable[[], object]]:
    """Steps of spikegpt-small as published and with spikes before every product, in both precisions, on random bytes."""
    import torch
    from torch.nn.functional import cross_entropy

    from dendrix.models.spikegpt.l2_wrap import l2_wrap
    from dendrix.recipes import spikegpt_small

    try:
        from dendrix.train.products import fast_products
    except ImportError:  # the older version
        fast_products = None
    text = torch.randint(256, (16, 257), generator=torch.Generator().manual_seed(1))

    def job(name: str, bfloat16: bool) -> Callable[[], object]:
        recipe = getattr(spikegpt_small, name)()
        torch.manual_seed(0)
        network = recipe.model.build()
        adam = torch.optim.AdamW(network.parameters(), recipe.optim.lr, fused=fast_products is not None)

        def step() -> None:
            with fast_products() if fast_products else nullcontext():
                adam.zero_grad()
                with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                    logits, _ = network(text[:, :-1])
                    loss = cross_entropy(logits.float().flatten(0, 1), text[:, 1:].flatten())
                l2_wrap(loss, logits).backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.optim.clip)
                adam.step()

        return step

    names = {"recipe": "spikegpt-small", "inputs": "spikegpt-small, spikes before products"}
    return {f"{about}, {'bf16' if low else 'float32'}": job(name, low) for name, about in names.items() for low in (False, True)}


def decoding() -> dict[str, Callable[[], object]]:
    """Steps of one text and of 16 with int8 weights, each on the next token of a random text."""
    import torch

    from dendrix.bench import decode
    from dendrix.generate import Decoder

    def job(decoder: Decoder, batch: int) -> Callable[[], object]:
        tokens = torch.randint(decoder.config.vocab_size, (batch, 32), generator=torch.Generator().manual_seed(1))
        _, state = decoder.prefill(tokens)
        at = 0

        def step() -> None:
            nonlocal at, state
            _, state = decoder.step(tokens[:, at % 32], state)
            at += 1

        def several() -> None:
            for _ in range(8):
                step()

        return several

    jobs = {}
    for size in ("1M", "46M"):
        config = decode.SIZES[size]
        fed = replace(config, spikes="input", v_threshold=FIRES_ONE_IN_EIGHT)
        for about, chosen in (("published", config), ("spikes before products", fed)):
            decoder = Decoder(decode._network(chosen), "int8")
            for batch in (1, 16):
                jobs[f"{size} {about}, batch {batch}"] = job(decoder, batch)
    return jobs


def work(kind: str) -> None:
    """Run the jobs whose numbers come on stdin; print their names first, then processor times in seconds."""
    import torch

    torch.set_num_threads(1)
    jobs = training() if kind == "train" else decoding()
    print(json.dumps(list(jobs)), flush=True)
    steps = list(jobs.values())
    for line in sys.stdin:
        step = steps[int(line)]
        if kind == "decode":
            step()  # after the other version: fills the processor cache as in a longer text
        began = time.process_time()
        step()
        print(time.process_time() - began, flush=True)


def compare(kind: str, old: Path) -> list[dict[str, Any]]:
    """Return the times of both versions, and their ratio, for each job."""
    workers, names = {}, []
    for name, path in (("before", old), ("after", HERE)):
        environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, kind, "--work"]
        workers[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    for worker in workers.values():
        names = json.loads(worker.stdout.readline())
    seconds: dict[str, list[list[float]]] = {name: [[] for _ in names] for name in workers}
    for turn in range(ROUNDS[kind] + 1):
        for number in range(len(names)):
            for name, worker in workers.items():
                worker.stdin.write(f"{number}\n")
                worker.stdin.flush()
                taken = float(worker.stdout.readline())
                if turn:  # the first round warms up
                    seconds[name][number].append(taken)
    for worker in workers.values():
        worker.communicate()
    found = []
    for number, name in enumerate(names):
        before, after = seconds["before"][number], seconds["after"][number]
        ratio = median(a / b for a, b in zip(before, after, strict=True))
        found.append({"job": name, "before_s": median(before), "after_s": median(after), "ratio": ratio})
    return found


def main() -> None:
    """Parse the command line, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("train", "decode"))
    parser.add_argument("old", type=Path, nargs="?", help="the folder src of the other version")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        return work(chosen.kind)
    if not chosen.old or not (chosen.old / "dendrix").is_dir():
        parser.error(f"old: expected a folder with dendrix in it, got {chosen.old}.")
    from dendrix.bench.machine import describe

    record = json.dumps({"machine": describe(), "steps": compare(chosen.kind, chosen.old)}, indent=1) + "\n"
    if chosen.out:
        chosen.out.write_text(record)
    print(record, end="")
    return None


if __name__ == "__main__":
    main()
