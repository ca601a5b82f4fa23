import os
import stat
import threading
from pathlib import Path

import pytest

from dendrix.core.files import expect_folder, expect_writable, read_bytes, read_json, write_atomic, write_json
from dendrix.core.limits import allow


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_links_are_followed_and_devices_written_through(tmp_path: Path) -> None:
    real, link, chain, dangling, null = (tmp_path / name for name in ("real", "link", "chain", "dangling", "null"))
    real.write_bytes(b"old")
    real.chmod(0o600)
    link.symlink_to("real")
    chain.symlink_to(link)
    dangling.symlink_to(tmp_path / "new")
    null.symlink_to("/dev/null")
    for path in (chain, dangling, null):
        expect_writable(path)
        write_atomic(path, b"new")
        assert path.is_symlink()
    assert real.read_bytes() == (tmp_path / "new").read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(OSError, match="No space left") as error:
        write_atomic(Path("/dev/full"), b"new")
    assert error.value.filename == "/dev/full"
    for write in (lambda path: write_atomic(path, b""), expect_writable):
        with pytest.raises(IsADirectoryError, match="it is a folder"):
            write(tmp_path)
    dangling.unlink()
    dangling.symlink_to(tmp_path / "nowhere" / "new")
    with pytest.raises(FileNotFoundError, match=r"dangling: expected a file in a folder that exists, but .*nowhere does not exist"):
        expect_writable(dangling)


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 255)
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_folders_to_write_to(tmp_path: Path) -> None:
    expect_folder(tmp_path)
    expect_folder(tmp_path / "new" / "newer")
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError, match=r"expected a folder to write to, but .*file is a file"):
            expect_folder(path)


def test_a_pipe_is_read_whole_up_to_the_limit(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"x" * 3_000_000,))
    writer.start()
    assert len(read_bytes(tmp_path / "pipe")) == 3_000_000
    writer.join()
    with allow(pipe_bytes=1 << 21), pytest.raises(ValueError, match="/dev/zero: expected at most 2,097,152 pipe bytes"):
        read_bytes(Path("/dev/zero"))


def test_json_comes_back_and_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"a": [1, 2.5]})
    assert read_json(path) == {"a": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": [1, 2.5]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read"),
        ("[1]", "expected a JSON object, got list"),
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=says):
        read_json(path)
