"""Train in one process and in two: `python -m support.two_processes TONES FOLDER EPOCHS` writes FOLDER/one and FOLDER/two.

Then, for each of the epochs, one of two processes is killed in it. The children are forked from a process that has everything
loaded, with the environment that `torchrun` gives them.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from dendrix.run_folder.state import Progress
from dendrix.train.command import TrainRun, train_run
from dendrix.train.sequence.learner import SequenceLearner
from dendrix.train.sequence.recipe import Budget, SequenceAugment, SequenceRecipe
from support.kill_often import recipe


def still(tones: Path) -> SequenceRecipe:
    """A recipe with no random numbers but the order of the data; its two batches of 15 cannot be halved."""
    chosen = recipe(tones, epochs=3)
    model = replace(chosen.model, dropout=0.0)
    return replace(chosen, model=model, augment=SequenceAugment(), budget=Budget(epochs=2, batch_size=15, patience=0, anneal=1.0))


def together(work: Callable[[], object], count: int) -> list[int]:
    """Do something in processes that know of each other; returns their exit codes, or minus the signal that ended one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(count):
        if (child := os.fork()) == 0:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            code = work()
            sys.stdout.flush()
            os._exit(code if isinstance(code, int) else 0)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def one_dies(run: TrainRun, epoch: int) -> int:
    """Train by the command line's rules, where the second process is killed in this epoch; returns the exit code."""
    train = SequenceLearner.train

    def dying(learner: SequenceLearner, progress: Progress) -> dict:
        if os.environ["RANK"] == "1" and progress.epoch == epoch:
            os.kill(os.getpid(), signal.SIGKILL)
        return train(learner, progress)

    SequenceLearner.train = dying
    try:
        train_run(run, "tones")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    tones, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for count, name in ((1, "one"), (2, "two")):
        print(together(lambda: train_run(TrainRun(still(tones), folder / name, json=True), "tones"), count))  # noqa: B023
    for epoch in map(int, sys.argv[3:]):
        print(together(lambda: one_dies(TrainRun(still(tones), folder / f"dies-{epoch}", json=True), epoch), 2))  # noqa: B023
