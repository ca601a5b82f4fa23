"""Pickles of plain data, from Python 3 and, opcode by opcode, as Python 2 wrote the published files."""

import pickle
import time
from pathlib import Path

import numpy as np
import pytest

from dendrix.data.images.plain_pickle import read_plain_pickle
from dendrix.errors import InputError


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


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [">i2", "<i2", ">f8", "<f4", ">u4", "<c8", ">c16", "?", "S3", ">U2", "<U2", "i1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_bytes_is_respected(protocol: int, kind: str, order: str, tmp_path: Path) -> None:
    x = np.array([[1, 2, 3], [4, 5, 0]], kind, order=order)
    path = tmp_path / "saved"
    path.write_bytes(pickle.dumps({"x": x, "scalar": x[0, 1], "part": x[:, 1:], "none": x[:0]}, protocol))
    read = read_plain_pickle(path)
    assert (read["x"].dtype.kind, read["x"].dtype.itemsize) == (x.dtype.kind, x.dtype.itemsize)
    assert all(np.array_equal(read[name], value) for name, value in (("x", x), ("scalar", x[0, 1]), ("part", x[:, 1:]), ("none", x[:0])))


def test_big_endian_numbers_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_bytes(pickle.dumps(np.array([1, 2, 3], ">i2"), 2))
    assert read_plain_pickle(path).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a place in the memo for which 32 GB would be taken
        b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b"abc.",  # bytes that claim 2^40
        b"\x80\x04\x8d" + (1 << 62).to_bytes(8, "little") + b"abc.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        pickle.dumps(np.zeros(2, [("x", "i4")]), 2),
        pickle.dumps(np.zeros(2, "M8[s]"), 2),
        pickle.dumps(np.arange(3), 2).replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"),  # a shape that the content does not fill
        b"\x80\x02cnumpy\ndtype\n.",
        b"",
    ],
)
def test_claims_are_refused_before_memory_is_taken(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_bytes(content)
    started = time.perf_counter()
    try:
        read = read_plain_pickle(path)
    except InputError as error:
        assert "expected a pickle of plain data and arrays" in str(error)  # noqa: PT017 - a class of numpy's would be read
    else:
        assert not isinstance(read, np.ndarray)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
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
