"""Progress on standard error: a bar on a terminal, otherwise one line for each report."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Bar:
    """A bar that is on the screen while `progress` runs.

    Args:
        shown: the bar of rich, which is disabled without a terminal.
        lines: print a line for each report instead.
        title, unit: title of the bar, and name of what is counted.
        total, done: length and the part that is done.
    """

    def __init__(self, shown: Progress, lines: bool, title: str, unit: str, total: float, done: int):
        self._shown, self._lines, self._title, self._unit = shown, lines, title, unit
        self._task = shown.add_task(title, total=total, completed=done, values="")
        self._start = time.monotonic()

    def advance(self, count: float = 1) -> None:
        """Count some more as done."""
        self._shown.update(self._task, advance=count)

    def at(self, done: float, total: float | None = None) -> None:
        """Set the part that is done, and the length if it is known only now."""
        self._shown.update(self._task, completed=done, total=total)

    def report(self, values: Mapping[str, str]) -> None:
        """Show values beside the bar, or print them as a line."""
        words = ", ".join(f"{name} {value}" for name, value in values.items())
        self._shown.update(self._task, values=words)
        if self._lines:
            task = self._shown.tasks[self._task]
            share = f"{self._unit} {task.completed:,.0f} of {task.total:,.0f}"
            self.say(f"{self._title}: {share}: {words}, {time.monotonic() - self._start:.0f} s")

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        self._shown.console.print(sentence, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(title: str, total: float | None = None, *, done: int = 0, unit: str = "", hidden: bool = False) -> Iterator[Bar]:
    """Show a bar on standard error if it is a terminal; yields the `Bar`.

    Args:
        title: text before the bar.
        total, done: length and the part that is done; None: not known yet.
        unit: name of what is counted; "B" shows bytes. With a unit, each `report` prints a line where there is no terminal.
        hidden: show nothing.
    """
    console = Console(stderr=True)
    count = DownloadColumn() if unit == "B" else MofNCompleteColumn() if unit == "epoch" else TaskProgressColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, TextColumn("{task.fields[values]}"), TimeRemainingColumn())
    terminal = console.is_terminal and not hidden
    with Progress(*columns, console=console, transient=unit == "", disable=not terminal) as shown:
        yield Bar(shown, bool(unit) and not terminal and not hidden, title, unit, total or 0, done)
