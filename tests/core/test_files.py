from pathlib import Path

import pytest

from dendrix.core.files import read_json, write_atomic, write_json


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


def test_json_comes_back_and_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"a": [1, 2.5]})
    assert read_json(path) == {"a": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": [1, 2.5]}


@pytest.mark.parametrize(("content", "says"), [("{", "cannot be read"), ("[1]", "expected a JSON object, got list")])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=says):
        read_json(path)
