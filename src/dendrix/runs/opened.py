"""A run opened once: the network, a split of data, and the batches that evaluation, exit records, energy and reports read."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from ..core.trust import Trust
from ..data.base import Batch, Labelled, evenly
from ..errors import InputError, InputTypeError
from ..models.converted import network_input
from ..models.decision import takes_state
from ..pretrained import find_run
from ..run_folder.checkpoint import Checkpoint, load_checkpoint
from ..run_folder.record import RUN, read_record
from ..train.metrics import Scores, score
from ..train.sources import source_from_dict
from .own_data import own_data

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class OpenedRun:
    """A trained network and data for it."""

    folder: Path
    checkpoint: Checkpoint
    data: Labelled

    @property
    def network(self) -> nn.Module:
        """The network, ready for use: in evaluation mode and with integer delays."""
        model: nn.Module = self.checkpoint.model
        return model

    @property
    def answers_over_time(self) -> bool:
        """Whether the network answers after every step, and not once."""
        return takes_state(self.network)

    @property
    def dt_ms(self) -> float | None:
        """The length of a step, in ms, where steps have one."""
        return self.data.dt_ms

    def batches(self) -> Iterator[Batch]:
        """All inputs in their order, as the network takes them, with the tail of its decision."""
        return self._prepared(self.data)

    def sample(self, count: int, size: int = 16) -> Iterator[Batch]:
        """So many inputs, evenly spread over the data."""
        return self._prepared(self.data.subset(evenly(len(self.data), count)), size=size)

    def score(self) -> Scores:
        """Accuracy, loss and confusion on these data."""
        return score(self.network, self.batches(), self.checkpoint.decision)

    def _prepared(self, data: Labelled, **size: int) -> Iterator[Batch]:
        tail = 0 if data.dt_ms is None else self.checkpoint.decision.tail_steps(data.dt_ms)
        for batch in data.batches(**size, tail_steps=tail):
            yield batch._replace(x=network_input(self.network, batch.x))


def open_run(
    run: str | Path,
    split: Split = "test",
    *,
    data: str | Path | None = None,
    root: Path | None = None,
    network: nn.Module | None = None,
    trust: Trust = None,
) -> OpenedRun:
    """Open a run with a split of the data that it was trained on, or with data of your own.

    Args:
        run: the folder, or the name of a network that comes with dendrix.
        split: which part of the data of the training.
        data: instead of a split, a path of your own data, see `own_data`.
        root: the folder of the training data, if they have moved.
        network: takes the weights, for classes that are not of dendrix or torch; it stays as it is.
        trust: instead of a network, the package or file of such classes.
    Raises:
        OSError: the run or its data are not there, or may not be read.
        UntrustedError: the network or its data are of a class that nobody trusts.
        InputError: a file of the run or the data is damaged, or does not fit.
    """
    folder = find_run(run)
    checkpoint = load_checkpoint(folder, network=network, trust=trust)
    if data is not None:
        return OpenedRun(folder, checkpoint, own_data(checkpoint, folder, Path(data)))
    splits: Any = source_of(folder, root, trust).load()
    return OpenedRun(folder, checkpoint, getattr(splits, split))


def source_of(folder: Path, root: Path | None = None, trust: Trust = None) -> Any:
    """The description of the data that a run was trained on.

    Args:
        folder: the run.
        root: the data folder, if it has moved.
        trust: the package or file of a source that is not of dendrix.
    Raises:
        OSError: the record of the run is not there, or may not be read.
        InputError: it is damaged, or these data are in no folder.
    """
    with _expect_recipe(folder):
        source = source_from_dict(read_record(folder)["recipe"]["data"], trust)
    return source if root is None else source.at(root)


@contextlib.contextmanager
def _expect_recipe(folder: Path) -> Iterator[None]:
    """Say so if the record of a run does not hold a recipe."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{folder / RUN}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except InputTypeError:
        raise
    except (TypeError, AttributeError) as error:
        raise InputError(
            f"{folder / RUN}: expected the recipe of the run, got one with fields missing, or that this version does not know. "
            "Was it edited by hand?"
        ) from error
