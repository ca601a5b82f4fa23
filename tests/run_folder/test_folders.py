"""Where folders of runs are made, and what is left of them after an error."""

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from dendrix.run_folder.record import environment, new_folder
from dendrix.run_folder.state import Run, run_folder

Make = Callable[[Path], AbstractContextManager[Path]]
MAKERS = [new_folder, run_folder]


def fails(making: AbstractContextManager[Path], made: str) -> None:
    """Make a file in a new folder, or beside it, and then fail."""
    with contextlib.suppress(KeyError), making as folder:
        (folder / made).touch()
        raise KeyError


@pytest.mark.parametrize("make", MAKERS)
def test_after_an_error_nothing_is_left_not_even_the_parents(make: Make, tmp_path: Path) -> None:
    fails(make(tmp_path / "a" / "b" / "run"), "part")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", MAKERS)
def test_parents_that_others_use_stay(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    fails(make(tmp_path / "a" / "b" / "run"), "../other")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["a", "a/b", "a/b/other"]


@pytest.mark.parametrize("make", MAKERS)
def test_a_path_with_dots_makes_what_it_means_and_no_more(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with make(Path("fsdd/../run")) as folder:
        (folder / "part").touch()
    assert sorted(path.as_posix() for path in Path().rglob("*")) == ["run", "run/part"]


@pytest.mark.parametrize("make", MAKERS)
def test_a_link_to_a_folder_that_is_not_there_yet_is_followed(make: Make, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("disk/run")
    with make(tmp_path / "link") as folder:
        (folder / "part").touch()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "run" / "part").exists()


@pytest.mark.parametrize("make", MAKERS)
def test_a_longest_name(make: Make, tmp_path: Path) -> None:
    with make(tmp_path / ("a" * 255)):
        pass
    assert [len(name) for name in os.listdir(tmp_path)] == [255]


def test_a_folder_that_took_the_place_of_a_run_is_left_alone(tmp_path: Path) -> None:
    with contextlib.suppress(KeyError), run_folder(tmp_path / "run"):
        run = Run(tmp_path / "run", {})
        run.expect_folder()
        run.folder.rename(tmp_path / "other")
        run.folder.mkdir()
        (run.folder / "precious").touch()
        with pytest.raises(FileNotFoundError, match="run: expected the folder of this training, but it was renamed"):
            run.write()
        raise KeyError
    assert [path.name for path in run.folder.iterdir()] == ["precious"]


def test_recording_the_commit_takes_no_lock_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / "git"
    git.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\ncase "$*" in *status*) ;; *) echo abc ;; esac\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert environment(torch.device("cpu"))["commit"] == "abc"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 3
    assert all(call.startswith("--no-optional-locks ") for call in calls)
