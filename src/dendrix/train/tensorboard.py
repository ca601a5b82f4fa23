"""Event files for TensorBoard with the metrics of a run. The only module that imports tensorboard."""

from pathlib import Path
from typing import Any

from ..core.files import flattened
from ..errors import MissingExtraError

_FILES = "events.out.tfevents.*"


class EventFiles:
    """Writer of event files in the folder of a run: the values of `metrics.jsonl`, one step for each epoch, counted from 1.

    Existing event files are replaced, and their epochs are written again from the metrics, so that a resumed run has each epoch once.

    Args:
        folder: folder of the run.
    Raises:
        MissingExtraError: tensorboard is missing.
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
        """Write the epochs that have not been written yet.

        Args:
            lines: metrics of all epochs so far.
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
