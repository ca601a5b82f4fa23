"""Train, kill and resume, over and over: `python -m support.kill_often TONES FOLDER KILLS SEED` prints the kills and what was left.

FOLDER/whole is trained in one go; FOLDER/killed is killed with SIGKILL at random moments, half of them by the clock and half while a file
is being written, and resumed each time. Children are forked from a process that has everything loaded, so that a start costs little.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from dendrix.data import LogMel
from dendrix.models import Decision, DelayNetConfig
from dendrix.train import loop
from dendrix.train.command import TrainRun, train_run
from dendrix.train.sequence.data import FsddData
from dendrix.train.sequence.recipe import Budget, SequenceAugment, SequenceOptim, SequenceRecipe


def recipe(tones: Path, epochs: int) -> SequenceRecipe:
    """A small one with everything random in it: dropout, augmentation, shuffling."""
    return SequenceRecipe(
        data=FsddData(LogMel(n_mels=8), root=tones),
        model=DelayNetConfig(inputs=8, outputs=10, hidden=(12,), max_delay_ms=40.0, dropout=0.1),
        decision=Decision(tail_ms=20.0),
        optim=SequenceOptim(lr=0.02),
        budget=Budget(epochs=epochs, batch_size=10),
        augment=SequenceAugment(shift_channels=1, mask_channels=1, mask_steps=1),
    )


def main(tones: Path, folder: Path, kills: int, seed: int) -> None:
    torch.set_num_threads(1)
    loop.environment = lambda _: {}  # a source tree may change while its tests run
    chance, chosen = random.Random(seed), recipe(tones, epochs=2 * kills)
    train_run(TrainRun(chosen, folder / "warm", json=True), "tones")
    started = time.perf_counter()
    train_run(TrainRun(chosen, folder / "whole", json=True), "tones")
    epoch = (time.perf_counter() - started) / (2 * kills)
    again = TrainRun(chosen, folder / "killed", resume=True, json=True)
    for number in range(kills):
        if number % 2:
            after = chance.uniform(0, 5 * epoch)
            killed = _killed(again, lambda: None, after)
            accumulation = f"after {after:.2f} s"
        else:
            write, early = chance.randint(1, 12), chance.random() < 0.5
            killed = _killed(again, lambda: _die_at_write(write, early), 60)  # noqa: B023
            accumulation = f"{'before' if early else 'after'} write {write}"
        there = sorted(path.name for path in (folder / "killed").glob("*"))
        print(json.dumps({"when": accumulation, "killed": killed, "files": there}))
    train_run(again, "tones")


def _killed(run: TrainRun, prepare: Callable[[], None], after: float) -> bool:
    """Train in a child process that is killed after some seconds; whether it was, before its end."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        prepare()
        train_run(run, "tones")
        os._exit(0)
    deadline = time.monotonic() + after
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.WIFSIGNALED(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _die_at_write(number: int, early: bool) -> None:
    """Let this process be killed at the `number`-th file it writes, before or after the file is on the disk."""
    sync, count = os.fsync, 0

    def fsync(file: int) -> None:
        nonlocal count
        count += 1
        if count == number and early:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(file)
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
