"""Arrays in .npy and .npz files: everything that numpy writes, and claims that are refused before memory is taken."""

import io
import os
import struct
import threading
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dendrix.core.archives import read_npy, read_npz
from dendrix.core.limits import allow
from dendrix.errors import InputError

KINDS = st.one_of(
    npst.integer_dtypes(), npst.unsigned_integer_dtypes(), npst.floating_dtypes(), npst.complex_number_dtypes(), npst.boolean_dtypes(),
    npst.byte_string_dtypes(max_len=3), npst.unicode_string_dtypes(max_len=3), npst.datetime64_dtypes(),
    st.just(np.dtype([("a", "<i2"), ("b", ">f4", (2,))])),
)  # fmt: skip


@given(npst.arrays(KINDS, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)), st.booleans(), st.booleans())
def test_what_numpy_writes_is_read(array: np.ndarray, columns_first: bool, compressed: bool) -> None:
    array = np.asfortranarray(array) if columns_first else array
    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else ".") / f"dendrix-{os.getpid()}.npz"
    try:
        np.save(path.with_suffix(".npy"), array)
        (np.savez_compressed if compressed else np.savez)(path, a=array, b=np.arange(3))
        for found in (read_npy(path.with_suffix(".npy")), read_npz(path, ("a", "c"), "arrays")["a"], read_npz(path, None, "arrays")["a"]):
            assert (found.dtype, found.shape) == (array.dtype, array.shape)
            assert found.tobytes() == array.tobytes()
            assert found.flags.writeable
    finally:
        path.unlink(missing_ok=True)
        path.with_suffix(".npy").unlink(missing_ok=True)


def header(text: str, content: bytes = bytes(8)) -> bytes:
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + content


def pack(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


GOOD = header("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }")
HUGE = header("{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HUGE, "claims 8,000,000,000,000 bytes of numbers, and has"),
        (header("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"), "claims 16 bytes of numbers, and has"),
        (header("{'descr': '<i8', 'fortran_order': False, 'shape': (-1, -1), }"), r"claims the shape \[-1, -1\]"),
        (header("{'descr': '<i8', 'fortran_order': False, 'shape': (1, ("), "cannot be read"),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"), "contains Python objects"),
        (
            header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\xff" * 4),
            "the character 0xffffffff, which does not exist",
        ),
        (header("[" * 5000), "cannot be read"),
        (b"\x93NUMPY\x09\x00" + GOOD[8:], "cannot be read"),
        (GOOD[:20], "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_damage_and_claims_are_refused(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    (tmp_path / "a.npz").write_bytes(pack(("a.npy", content)))
    tracemalloc.start()
    for read in (lambda: read_npy(tmp_path / "a.npy"), lambda: read_npz(tmp_path / "a.npz", ("a",), "arrays")):
        with pytest.raises(InputError, match=says) as error:
            read()
        assert "\n" not in str(error.value)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_archives_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content, says in (
        (b"PK broken", "another kind of file or truncated"),
        (pack(("a.npy", GOOD), ("b.npy", GOOD)).replace(b"b.npy", b"a.npy"), "it holds two arrays of the name 'a'"),
        (pack(("a.npy", GOOD))[:-30], "another kind of file or truncated"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"a\.npz: expected arrays, but it cannot be read \(.*{says}.*\)\. Copy it again\."):
            read_npz(path, None, "arrays")
    claimed = bytearray(pack(("a.npy", GOOD)))
    central = claimed.index(b"PK\x01\x02")
    claimed[central + 24 : central + 28] = struct.pack("<I", 1 << 31)
    path.write_bytes(claimed)
    with pytest.raises(InputError, match="'a' claims 2,147,483,648 bytes in"):
        read_npz(path, None, "arrays")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "b.npz", None, "arrays")


def test_a_limit_and_a_pipe(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1000))
    with allow(array_bytes=7_999), pytest.raises(InputError, match=r"a\.npz: a: expected at most 7,999 array bytes, got 8,000"):
        read_npz(tmp_path / "a.npz", None, "arrays")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=((tmp_path / "a.npz").read_bytes(),))
    writer.start()
    assert read_npz(tmp_path / "pipe", None, "arrays")["a"].shape == (1000,)
    writer.join()
