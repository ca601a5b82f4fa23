"""Opening of a run: the network, data for it, and batches for evaluation, exit records, energy and reports."""

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
        """Network in evaluation mode, with integer delays."""
        model: nn.Module = self.checkpoint.model
        return model

    @property
    def answers_over_time(self) -> bool:
        """Whether the network has outputs after every step, instead of one output per input."""
        return takes_state(self.network)

    @property
    def dt_ms(self) -> float | None:
        """Length of a step, in ms; None if the inputs are not sequences in time."""
        return self.data.dt_ms

    def batches(self) -> Iterator[Batch]:
        """Yield all inputs in order, in the form that the network takes, with the tail of its decision."""
        return self._prepared(self.data)

    def sample(self, count: int, size: int = 16) -> Iterator[Batch]:
        """Yield `count` inputs, evenly spread over the data."""
        return self._prepared(self.data.subset(evenly(len(self.data), count)), size=size)

    def score(self) -> Scores:
        """Return accuracy, loss and confusion on these data."""
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
    """Open a run with a split of the data that it was trained on, or with your own data.

    Args:
        run: folder of the run, or the name of a shipped network.
        split: split of the data of the training.
        data: path of your own data, used instead of a split; see `own_data`.
        root: folder of the training data, if it has moved.
        network: network that the weights are loaded into, for classes that are not part of dendrix or torch; it is not changed.
        trust: instead of a network, the package or Python file of such classes.
    Raises:
        OSError: the run or its data are missing or not readable.
        UntrustedError: the class of the network or of its data is not trusted.
        InputError: a file of the run or the data is damaged, or does not fit the network.
    """
    folder = find_run(run)
    checkpoint = load_checkpoint(folder, network=network, trust=trust)
    if data is not None:
        return OpenedRun(folder, checkpoint, own_data(checkpoint, folder, Path(data)))
    splits: Any = source_of(folder, root, trust).load()
    return OpenedRun(folder, checkpoint, getattr(splits, split))


def source_of(folder: Path, root: Path | None = None, trust: Trust = None) -> Any:
    """Return the source of the data that a run was trained on.

    Args:
        folder: folder of the run.
        root: folder of the data, if it has moved.
        trust: package or Python file of a source that is not part of dendrix.
    Raises:
        OSError: the record of the run is missing or not readable.
        InputError: the record is damaged, or `root` is given for data that are not read from a folder.
    """
    with _expect_recipe(folder):
        source = source_from_dict(read_record(folder)["recipe"]["data"], trust)
    return source if root is None else source.at(root)


@contextlib.contextmanager
def _expect_recipe(folder: Path) -> Iterator[None]:
    """Turn errors of a record without a complete recipe into an InputError."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{folder / RUN}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except InputTypeError:
        raise
    except (TypeError, AttributeError) as error:
        raise InputError(
            f"{folder / RUN}: expected the recipe of the run, got one with missing fields or fields unknown to this version. "
            "Was it edited by hand?"
        ) from error
