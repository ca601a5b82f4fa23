"""Stop each inference as soon as it is sure: record a network's outputs, fit an exit rule to them, report on it, and run it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.progress import Progress

from .output import print_json

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
RecordFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECORD.npz")]
PolicyFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="policy.json")]


def record(run: Run, out: Path, split: Literal["train", "valid", "test"] = "valid", root: Path | None = None, json: bool = False) -> None:
    """Run a trained network once over a split, at full length, and keep what it answers after every step.

    Args:
        run: a folder that `dendrix train` wrote.
        out: the .npz to write.
        split: fit rules on "valid", report on "test".
        root: the data folder, if it is not where it was in training.
        json: print JSON, and no progress bar.
    """
    from ..train.command import record_run

    expect_folder(out)
    with _bar(f"Recording {split}", hidden=json) as progress:
        recorded = record_run(run, split, root, progress)
    recorded.save(out)
    count, steps, classes = recorded.outputs.shape
    if json:
        print_json({"file": str(out), "inputs": count, "steps": steps, "classes": classes, "dt_ms": recorded.dt_ms, "how": recorded.how})
        return
    print(f"Recorded {count} inputs of up to {steps} steps in {out}. Next: dendrix exits fit {out} --goal pareto --out policy.json")


def expect_folder(path: Path) -> None:
    """The folder of a file that is to be written must be there before the work, not after.

    Raises:
        FileNotFoundError: it is not.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: expected a file in a folder that exists, but {path.parent} is none. Make it first.")


@contextmanager
def _bar(title: str, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr that is moved by calls with how much is done, and of how much; none where nobody watches."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


COMMANDS: dict[str, Callable[..., Any]] = {"record": record}
