"""The commit of the sources in a run record."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from dendrix.run_folder.record import commit_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one commit."""
    for number in range(30):
        (tmp_path / f"file-{number}.py").write_text(str(number))
    for command in ("init --quiet", "add --all", "-c user.name=a -c user.email=a@b commit --quiet -m first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    return tmp_path


def test_a_commit_and_changes_to_it(tree: Path) -> None:
    file = tree / "file-0.py"
    (tree / "new.py").write_text("untracked")
    clean = commit_of(file)
    assert clean is not None
    assert len(clean) == 40
    file.write_text("changed")
    assert commit_of(file) == f"{clean}-dirty"
    assert commit_of(tree / "new.py") is None


def test_changes_may_count_in_one_folder_only(tree: Path) -> None:
    file, other = tree / "file-0.py", tree / "file-1.py"
    other.write_text("changed")
    found = commit_of(file)
    assert found is not None
    assert found.endswith("-dirty")
    assert commit_of(file, file) == found.removesuffix("-dirty")
    assert commit_of(file, other) == found


def test_reading_it_leaves_no_lock_where_git_cannot_write(tree: Path) -> None:
    for file in tree.glob("*.py"):
        os.utime(file, (1e9, 1e9))  # git would refresh its index
    before, limits = (tree / ".git/index").read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, limits[1]))
    try:
        found = commit_of(tree / "file-0.py")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert found is not None
    assert not found.endswith("-dirty")
    assert (tree / ".git/index").read_bytes() == before
    assert not (tree / ".git/index.lock").exists()
