"""Train a language model in one process and in two: `python -m support.two_text_processes FOLDER NAMES` writes the named runs into FOLDER.

FOLDER has text.txt. The children are forked from a process that has everything loaded.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import accelerate
import torch
import torch.distributed.fsdp

import dendrix.models.spikegpt.hf  # noqa: F401 - loaded here, once for all children
from dendrix.models import SpikeGPTConfig
from dendrix.run_folder.state import Progress
from dendrix.train.distributed.processes import join
from dendrix.train.loop import train_recipe
from dendrix.train.text.data import TextData
from dendrix.train.text.learner import TextLearner
from dendrix.train.text.recipe import TextBudget, TextOptim, TextRecipe
from support.two_processes import together


def recipe(folder: Path) -> TextRecipe:
    """A recipe with no random numbers but the places of the windows."""
    budget = TextBudget(steps=6, every=2, batch_size=8, context=16, valid_tokens=400, sample_tokens=0)
    model = SpikeGPTConfig(256, 16, 2, start="rwkv", dropout=0.0)
    return TextRecipe(TextData(str(folder / "text.txt")), model, TextOptim(lr=1e-2, warm_up=1), budget)


def train(folder: Path, name: str, resume: bool = False, **budget: object) -> int:
    """Train into FOLDER/name; returns the exit code."""
    (folder / name).mkdir(exist_ok=True)
    chosen = recipe(folder)
    train_recipe(replace(chosen, budget=replace(chosen.budget, **budget)), folder / name, quiet=True, resume=resume)
    return 0


def train_and_stop(folder: Path, name: str, after: int, **budget: object) -> None:
    """The same, but all processes end when so many epochs are complete."""
    original = TextLearner.train

    def stopping(learner: TextLearner, progress: Progress) -> dict[str, object]:
        if progress.epoch == after:
            os._exit(0)
        return original(learner, progress)

    TextLearner.train = stopping
    train(folder, name, **budget)


def shares(folder: Path) -> int:
    """Write how many numbers of the parameters and of the optimiser's moments this process holds."""
    chosen = recipe(folder)
    chosen = replace(chosen, budget=replace(chosen.budget, shard=True))
    learner = TextLearner(chosen, chosen.data.load(), join(accelerate))
    learner._step(0)
    moments = [m for kept in learner.optimizer.state.values() for m in kept.values() if m.dim()]
    held = [sum(part.to_local().numel() for part in parts) for parts in (list(learner.model.parameters()), moments)]
    whole = sum(parameter.numel() for parameter in learner.network.parameters())
    (folder / f"shares-{os.environ['RANK']}").write_text(f"{held[0]} {held[1]} {whole}")
    return 0


RUNS: dict[str, list[tuple[Callable[[Path], object], int]]] = {
    "one": [(lambda here: train(here, "one"), 1)],
    "shared": [(lambda here: train(here, "shared", shard=True), 2)],
    "two": [(lambda here: train(here, "two"), 2)],
    "parts": [(lambda here: train(here, "parts", accumulate=2), 2)],
    "cut": [
        (lambda here: train_and_stop(here, "cut", 2, shard=True), 2),
        (lambda here: train(here, "cut", resume=True, shard=True), 2),
    ],
    "half": [(lambda here: train(here, "half", precision="bf16", shard=True), 2)],
    "shares": [(shares, 2)],
}
"""The trainings of each run, and in how many processes."""

if __name__ == "__main__":
    torch.set_num_threads(1)
    here = Path(sys.argv[1])
    for name in sys.argv[2:]:
        for work, processes in RUNS[name]:
            print(together(partial(work, here), processes))
