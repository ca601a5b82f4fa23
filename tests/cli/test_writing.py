"""Files that commands write: devices and links stay what they are, and a full disk or a read-only place is one sentence."""

import contextlib
import os
import resource
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dendrix.cli import main
from support.exit_records import pool

FILE_COMMANDS = {
    "exits record": "exits record fsdd --data {words} --out",
    "exits fit": "exits fit {record} --goal mean-steps --steps 3 --json --out",
    "exits report": "exits report {policy} {record} --figure",
    "report": "report fsdd --data {words} --out",
}
FOLDER_COMMANDS = {
    "train": "train digits-delays --budget.epochs 1 --model.hidden 8 --no-report --out",
    "sweep": "sweep digits-delays --space optim.lr=1e-3..1e-2 --trials 1 --out",
    "convert": "convert fsdd --out",
    "demo": "demo --epochs 1 --out",
    "bench": "bench lif --quick --threads 1 --out",
    "reproduce": "reproduce sdr --out",
    "sdr figures": "sdr figures --out",
}
NOBODY = 65534


@pytest.fixture(scope="module")
def inputs(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A record, a policy and a folder of words."""
    folder = tmp_path_factory.mktemp("inputs")
    words = folder / "words"
    for digit in "01":
        (words / digit).mkdir(parents=True)
        for take in range(2):
            shutil.copy(tones / f"{digit}_tester_{take}.wav", words / digit)
    pool(200).save(folder / "record.npz")
    made = {"record": folder / "record.npz", "policy": folder / "policy.json", "words": words}
    assert main([*words_of("exits fit", made), str(made["policy"])]) == 0
    return made


def words_of(command: str, inputs: dict[str, Path]) -> list[str]:
    return [word.format(**inputs) for word in {**FILE_COMMANDS, **FOLDER_COMMANDS}[command].split()]


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_devices_and_links_stay_what_they_are(
    command: str, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    suffix = ".png" if command == "exits report" else ".out"
    (tmp_path / "elsewhere").mkdir()
    target, null, dangling, pipe = (tmp_path / f"{name}{suffix}" for name in ("link", "null", "dangling", "pipe"))
    real = tmp_path / "elsewhere" / f"real{suffix}"
    real.write_bytes(b"old")
    real.chmod(0o640)
    target.symlink_to(real)
    dangling.symlink_to(tmp_path / "elsewhere" / f"new{suffix}")
    null.symlink_to("/dev/null")
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    for path in (target, dangling, null, pipe):
        assert main([*words_of(command, inputs), str(path)]) == 0
    reader.join()
    assert all(link.is_symlink() for link in (target, dangling, null))
    assert (stat.S_IMODE(real.stat().st_mode), len(real.read_bytes()) > 100) == (0o640, True)
    assert len((tmp_path / "elsewhere" / f"new{suffix}").read_bytes()) > 100
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert len(read[0]) > 100
    left = [path.name for path in (*tmp_path.iterdir(), *real.parent.iterdir()) if path.name.startswith(".")]
    assert not left


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_a_full_disk_is_one_sentence(
    command: str, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    link = tmp_path / ("full.png" if command == "exits report" else "full")
    link.symlink_to("/dev/full")
    (tmp_path / "kept.png").write_bytes(b"old")
    assert failed(capsys, [*words_of(command, inputs), str(link)]) == f"dendrix: {link}: No space left on device."
    with files_of_at_most(200):
        said = failed(capsys, [*words_of(command, inputs), str(tmp_path / "kept.png")])
    assert said == f"dendrix: {tmp_path / 'kept.png'}: File too large."
    assert (tmp_path / "kept.png").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == sorted(["kept.png", link.name])


@pytest.mark.parametrize("command", ["train", "sdr figures"])
def test_a_full_disk_leaves_nothing_half_written(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_of_at_most(400):
        said = failed(capsys, [*words_of(command, {}), str(tmp_path / "out")])
    assert said.endswith("File too large.")
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 400]
    assert not left
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("command", [*FILE_COMMANDS, *FOLDER_COMMANDS])
def test_a_read_only_place_is_refused_before_the_work(command: str, inputs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the write itself would say "Permission denied" instead."""
    with read_only_folder() as folder:
        said = failed(capsys, [*words_of(command, inputs), str(folder / "out.png")])
    assert "expected a writable" in said
    below_a_file = inputs["record"] / "out.png"
    assert failed(capsys, [*words_of(command, inputs), str(below_a_file)]).startswith(f"dendrix: {below_a_file}: expected a ")


def failed(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The sentence of a command that fails, without what to do."""
    capsys.readouterr()
    assert main(words) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0].removesuffix(" Check the path, its permissions and the space on the disk.")


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let every longer file fail, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def read_only_folder() -> Iterator[Path]:
    """A folder that may not be written to, not even by root, who becomes nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user: Callable[[int], None] = os.seteuid if os.geteuid() == 0 else lambda _: None
    user(NOBODY)
    try:
        yield folder
    finally:
        user(0)
        folder.rmdir()
