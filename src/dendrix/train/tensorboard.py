"""The metrics of a run as event files for TensorBoard. The one place that imports it."""

from pathlib import Path
from typing import Any

from ..core.files import flattened
from ..errors import MissingExtraError

_FILES = "events.out.tfevents.*"


class EventFiles:
    """Writes what `metrics.jsonl` says into event files in the folder of the run, one step for each epoch, counted from 1.

    The files of an earlier start are replaced, and their epochs written again from the metrics: after a resume nothing is doubled or lost.

    Args:
        folder: the run.
    Raises:
        ImportError: tensorboard is missing.
    """

    def __init__(self, folder: Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except Exception as missing:
            raise MissingExtraError.of("Event files need", "tensorboard", "tensorboard", missing) from missing
        self._make: Any = SummaryWriter
        self._writer: Any = None
        self._folder, self._written = folder, 0

    def write(self, lines: list[dict[str, Any]]) -> None:
        """Write the epochs that are new.

        Args:
            lines: the metrics of all epochs so far.
        """
        if self._writer is None:
            for older in self._folder.glob(_FILES):
                older.unlink()
            self._writer = self._make(self._folder)
        for number, line in enumerate(lines[self._written :], self._written + 1):
            for name, value in flattened(line).items():
                if isinstance(value, (int, float)) and name != "epoch":
                    self._writer.add_scalar(name.replace(".", "/"), value, number)
        self._written = len(lines)
        self._writer.flush()

    def close(self) -> None:
        """Close the file; nothing more can be written."""
        if self._writer is not None:
            self._writer.close()
