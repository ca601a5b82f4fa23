"""Pickles of plain data, from Python 3 and, opcode by opcode, as Python 2 wrote the published files."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from dendrix.data.images.plain_pickle import read_plain_pickle


def text(x: bytes) -> bytes:
    """SHORT_BINSTRING: what Python 2 made of a str."""
    return b"U" + bytes([len(x)]) + x


def test_what_python_2_wrote(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.uint8).reshape(2, 3)
    number_type = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    array = empty + b"(K\x01K\x02K\x03\x86" + number_type + b"\x89" + text(x.tobytes()) + b"tb"
    path = tmp_path / "batch"
    path.write_bytes(b"\x80\x02}(" + text(b"data") + array + text(b"labels") + b"](K\x03K\x04eu.")
    read = read_plain_pickle(path)
    assert set(read) == {b"data", b"labels"}
    assert read[b"labels"] == [3, 4]
    assert read[b"data"].dtype == np.uint8
    assert np.array_equal(read[b"data"], x)


@pytest.mark.parametrize("protocol", range(5))
def test_what_python_3_writes(protocol: int, tmp_path: Path) -> None:
    saved = {"x": np.arange(5.0), b"y": [1, 2.5, None, True, (b"bytes", "text")]}
    path = tmp_path / "saved"
    path.write_bytes(pickle.dumps(saved, protocol))
    read = read_plain_pickle(path)
    assert np.array_equal(read["x"], saved["x"])
    assert read[b"y"] == saved[b"y"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("danger", [print, np.load, np.array([print], object), np.zeros(2, [("x", object)]), pickle.loads, {1: eval}])
def test_nothing_else_is_known(danger: object, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "danger"
    path.write_bytes(pickle.dumps(danger, protocol))
    with pytest.raises(ValueError, match="expected a pickle of plain data and arrays, but it cannot be read"):
        read_plain_pickle(path)
