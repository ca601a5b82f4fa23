"""Downloads from a server on this machine that serves well, badly, and not at all."""

import errno
import hashlib
import io
import os
import re
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest

from dendrix.data import download, fetch
from dendrix.data.download import REMOTES, Remote, fetch_archive


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


GOOD = zipped(spikes=b"x" * 50_000, Train__0__a=b"y")
WORDS = tarred("./yes/a.wav", b"z")
SENT = {"/good": GOOD, "/wrong": GOOD[::-1], "/cut": GOOD, "/slow": GOOD, "/words": WORDS, "/text": b"no archive"}


class Handler(BaseHTTPRequestHandler):
    """Sends what is asked for, of /cut only half, of /slow a third at a time if it is asked for the rest; anything else is not found."""

    asked: list[str] = []

    def do_GET(self) -> None:
        start = int(re.sub(r"\D", "", self.headers.get("Range", "0"))) if self.path == "/slow" else 0
        self.asked.append(f"{self.path} from {start}" if start else self.path)
        body = SENT.get(self.path, b"")
        past = body and start >= len(body)
        self.send_response(404 if not body else 416 if past else 206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        sent = {"/cut": len(body) // 2, "/slow": len(body) // 3 + 1}.get(self.path, len(body))
        self.wfile.write(body[start : start + sent])

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.asked.clear()
    return Handler.asked


def remote(address: str, *paths: str, content: bytes = GOOD, member: str = "spikes", target: str = "set/spikes") -> Remote:
    urls = tuple(f"{address}/{path}" for path in paths)
    return Remote("a.zip", urls, f"sha256:{hashlib.sha256(content).hexdigest()}", member, target)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("before", [(), ("nothing",), ("wrong",), ("cut",), ("nothing", "cut", "wrong")], ids="+".join)
def test_addresses_are_tried_in_turn(address: str, tmp_path: Path, asked: list[str], before: tuple[str, ...]) -> None:
    path = fetch_archive(remote(address, *before, "good", "never"), tmp_path)
    assert path.read_bytes() == b"x" * 50_000
    assert asked == [f"/{name}" for name in (*before, "good")]
    assert everything(tmp_path) == ["set/spikes"]


def test_when_all_fail_each_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="expected a download from one of 3 addresses") as error:
        fetch_archive(remote(address, "nothing", "wrong", "cut"), tmp_path)
    found = re.findall(r"/(\w+) \((.*?)\)", str(error.value))
    assert found == [("nothing", "status 404"), ("wrong", "wrong checksum"), ("cut", "connection interrupted")]
    assert f"copy the file to {tmp_path / 'set' / 'a.zip'}" in str(error.value)
    assert "\n" not in str(error.value)
    (kept,) = everything(tmp_path)  # what came before the cut, to go on from
    assert GOOD.startswith((tmp_path / kept).read_bytes())


def test_a_download_that_is_cut_goes_on_the_next_time(address: str, tmp_path: Path, asked: list[str]) -> None:
    for _ in range(3):
        with pytest.raises(ConnectionError, match="repeat the command, which resumes the download"):
            fetch_archive(remote(address, "slow"), tmp_path)
    assert fetch_archive(remote(address, "slow"), tmp_path).read_bytes() == b"x" * 50_000
    assert asked == ["/slow", *(f"/slow from {count * 16_384}" for count in (1, 2, 3))]
    assert everything(tmp_path) == ["set/spikes"]


def test_a_kept_part_that_is_whole_needs_no_more(address: str, tmp_path: Path, asked: list[str]) -> None:
    with pytest.raises(ConnectionError):
        fetch_archive(remote(address, "slow"), tmp_path)
    (tmp_path / everything(tmp_path)[0]).write_bytes(GOOD)
    assert fetch_archive(remote(address, "slow"), tmp_path).read_bytes() == b"x" * 50_000
    assert asked == ["/slow", f"/slow from {len(GOOD)}"]


def test_a_kept_part_that_is_wrong_is_thrown_away(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        fetch_archive(remote(address, "slow"), tmp_path)
    (tmp_path / everything(tmp_path)[0]).write_bytes(GOOD[:-1] + b"?")
    with pytest.raises(ConnectionError, match="wrong checksum"):
        fetch_archive(remote(address, "slow"), tmp_path)
    assert everything(tmp_path) == []


def test_offline_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"\(no connection\)\. Check the connection"):
        fetch_archive(remote("http://127.0.0.1:9", "good"), tmp_path)
    assert everything(tmp_path) == []


def test_a_full_disk_is_no_matter_of_the_address(address: str, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.move", Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with pytest.raises(OSError, match="No space left"):
        fetch_archive(remote(address, "good", "good"), tmp_path)
    assert asked == ["/good"]
    assert everything(tmp_path) == []


def test_what_is_there_is_not_fetched(tmp_path: Path, asked: list[str]) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "spikes").write_bytes(b"mine")
    assert fetch_archive(remote("http://127.0.0.1:9", "good"), tmp_path).read_bytes() == b"mine"
    (tmp_path / "set" / "spikes").unlink()
    (tmp_path / "set" / "a.zip").write_bytes(GOOD)
    assert len(fetch_archive(remote("http://127.0.0.1:9", "good"), tmp_path).read_bytes()) == 50_000
    assert everything(tmp_path) == ["set/a.zip", "set/spikes"]  # what the user brought stays
    assert asked == []


def test_an_archive_that_is_not_the_published_one_is_replaced(address: str, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.zip").write_bytes(GOOD[:100])
    assert len(fetch_archive(remote(address, "good"), tmp_path).read_bytes()) == 50_000


def test_a_file_that_is_no_archive_stays_as_it_is(address: str, tmp_path: Path, asked: list[str]) -> None:
    plain = Remote("set.gz", (f"{address}/text",), f"sha256:{hashlib.sha256(SENT['/text']).hexdigest()}", None, "mnist/set.gz")
    for _ in range(2):
        assert fetch_archive(plain, tmp_path).read_bytes() == b"no archive"
    assert everything(tmp_path) == ["mnist/set.gz"]
    assert asked == ["/text"]


def test_folders_come_out_of_zip_and_tar(address: str, tmp_path: Path) -> None:
    fetch_archive(remote(address, "good", member="Train", target="deep/Train"), tmp_path)
    fetch_archive(remote(address, "words", content=WORDS, member="", target="words"), tmp_path)
    assert everything(tmp_path) == ["deep/Train/0/a", "words/yes/a.wav"]


def test_archives_that_hold_something_else_are_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.zip: expected an archive that contains Test, but it does not"):
        fetch_archive(remote(address, "good", member="Test"), tmp_path)
    with pytest.raises(ValueError, match=r"a\.zip: expected a zip or tar archive"):
        fetch_archive(remote(address, "text", content=b"no archive", target="other/Test"), tmp_path)
    assert not (tmp_path / "set" / "spikes").exists()


def test_fetch_goes_by_name(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(download.REMOTES, "shd", (remote(address, "good"), remote(address, "good", member="Train", target="set/Train")))
    monkeypatch.setenv("DENDRIX_DATA", str(tmp_path / "new"))
    assert fetch("shd") == [tmp_path / "new" / "set" / "spikes", tmp_path / "new" / "set" / "Train"]
    with pytest.raises(ValueError, match="Did you mean 'shd'"):
        fetch("shdd")
    with pytest.raises(ValueError, match=r"but it has none\. Get it with: git clone https"):
        fetch("fsdd")
    monkeypatch.delenv("DENDRIX_DATA")
    with pytest.raises(FileNotFoundError, match="or set DENDRIX_DATA"):
        fetch("shd")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install dendrix\[data\]"):
        fetch("shd", tmp_path)


def test_the_list_is_complete() -> None:
    for remotes in REMOTES.values():
        for entry in remotes:
            kind, _, digits = entry.checksum.partition(":")
            assert len(digits) == {"sha256": 64, "md5": 32}[kind]
            assert all(url.startswith("http") for url in entry.urls)
            assert int(digits, 16)
