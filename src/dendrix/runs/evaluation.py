"""Evaluation of a run: scores on a split or on your own data, and records of all outputs for exit rules."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..exits import ExitRecord, record_outputs
from ..models import StillImageNetwork
from ..train.metrics import Scores
from .opened import OpenedRun, Split, open_run
from .viewing import EVIDENCE


def evaluate_run(run: str | Path, split: Split = "test", **options: Any) -> Scores:
    """Score the network of a run, with integer delays.

    Args:
        run: folder of the run, or the name of a shipped network.
        split: split of the data of the training.
        **options: data, root, network and trust, as in `open_run`.
    Raises:
        OSError, InputError: see `open_run`.
    """
    return open_run(run, split, **options).score()


def record_run(opened: OpenedRun, progress: Callable[[int, int], None] | None = None) -> ExitRecord:
    """Record the outputs of a run's network after every step, with integer delays, to fit exit rules; also the speakers, where known.

    Args:
        opened: the run and its data.
        progress: called with the number of processed inputs and the total.
    Raises:
        InputError: the network has one output per input instead of one after every step.
    """
    network, decision = opened.network, opened.checkpoint.decision
    if not opened.answers_over_time:
        raise InputError(
            f"{opened.folder}: expected a network with outputs after every step, got one with a single output. "
            f"Convert an image network first: dendrix convert {opened.folder}. Any other network must return outputs [B, T, K] and a state."
        )
    seen = None if progress is None else lambda done: progress(done, len(opened.data))
    accumulation = EVIDENCE if isinstance(network, StillImageNetwork) else decision.accumulation
    recorded = record_outputs(network, opened.batches(), accumulation, opened.dt_ms, seen)
    speaker = getattr(opened.data, "speaker", None)
    return recorded if speaker is None else replace(recorded, groups=speaker, grouped_by="speaker")
