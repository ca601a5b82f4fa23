import os
import stat
import subprocess
import sys
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


def test_a_link_is_followed_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path, link = tmp_path / "there" / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    (tmp_path / "chain").symlink_to("link")
    for name in ("link", "chain"):
        expect_writable(tmp_path / name)
        write_atomic(tmp_path / name, name.encode())
        assert path.read_bytes() == name.encode()
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["chain", "file", "link", "there"]


def test_a_link_that_leads_nowhere_makes_the_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "new")
    expect_writable(tmp_path / "link")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "there" / "new").read_bytes() == b"new"
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere" / "new")
    with pytest.raises(FileNotFoundError, match=r"lost: expected a file in a folder that exists"):
        expect_writable(tmp_path / "lost")
    with pytest.raises(FileNotFoundError, match="lost"):
        write_atomic(tmp_path / "lost", b"new")
    (tmp_path / "round").symlink_to("round")
    for write in (expect_writable, lambda path: write_atomic(path, b"new")):
        with pytest.raises(OSError, match=r"Too many levels of symbolic links: .*round"):
            write(tmp_path / "round")
    assert (tmp_path / "round").is_symlink()


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    for path in (Path(os.devnull), link):
        before = path.stat()
        expect_writable(path)
        write_atomic(path, b"gone")
        assert (path.stat().st_rdev, path.stat().st_ino) == (before.st_rdev, before.st_ino)
    assert link.is_symlink()


def test_a_full_device_is_one_error() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_atomic(Path("/dev/full"), b"x" * 10_000)


def test_a_pipe_gets_the_content(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    expect_writable(pipe)
    write_atomic(pipe, b"through")
    reader.join(10)
    assert got == [b"through"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"])
def test_standard_output_is_written_to(tmp_path: Path, name: str) -> None:
    code = f"print('before', flush=True)\nfrom pathlib import Path\nfrom dendrix.core.files import *\nexpect_writable(Path('{name}'))\n"
    code += f"write_atomic(Path('{name}'), b'content\\n')\nprint('after')"
    words = [sys.executable, "-c", code]
    assert subprocess.run(words, capture_output=True, check=True).stdout == b"before\ncontent\nafter\n"
    with (tmp_path / "file").open("ab") as file:
        subprocess.run(words, stdout=file, check=True)
    assert (tmp_path / "file").read_bytes() == b"before\ncontent\nafter\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_may_only_be_read_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o444)
    monkeypatch.setattr("os.access", lambda place, mode, **_: not (place == path and mode == os.W_OK))  # as for all but root
    for write in (expect_writable, lambda path: write_atomic(path, b"new")):
        with pytest.raises(PermissionError, match="file"):
            write(path)
    assert path.read_bytes() == b"old"


def test_the_longest_name_that_a_file_may_have(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("a" * 255), b"long")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"long"]


def test_threads_that_write_one_file_leave_one_of_their_contents(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([i]) * 100_000 for i in range(8)]
    writers = [threading.Thread(target=write_atomic, args=(path, content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


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
