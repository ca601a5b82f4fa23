"""HDF5 files that are damaged, too large, or refer to something outside themselves."""

import contextlib
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from dendrix.exchange import from_nir, read_graph, to_nir
from dendrix.exchange.hdf5 import read_tree
from dendrix.layers import Sequential
from dendrix.neurons import LIF


@pytest.fixture
def file(tmp_path: Path) -> Path:
    to_nir(Sequential(LIF(3)), tmp_path / "net.nir")
    return tmp_path / "net.nir"


def test_a_tree_is_plain(file: Path) -> None:
    tree = read_tree(file)
    assert tree["version"] == nir.version
    assert tree["node"]["nodes"]["l0"]["type"] == "LIF"
    assert tree["node"]["nodes"]["l0"]["tau"].shape == (3,)


def test_no_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    with pytest.raises(FileNotFoundError):
        read_graph(path)
    path.write_text("a graph")
    with pytest.raises(ValueError, match=r"net.nir: expected an HDF5 file, but it cannot be read .* Copy the file again"):
        read_graph(path)
    with h5py.File(path, "w") as made:
        made["x"] = 1
    with pytest.raises(ValueError, match="has no group 'node'"):
        read_graph(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_file_is_one_sentence(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"net.nir: expected an HDF5 file, but it cannot be read"):
        read_graph(file)


@pytest.mark.parametrize("seed", range(30))
def test_flipped_bytes_are_no_crash(file: Path, seed: int) -> None:
    content = bytearray(file.read_bytes())
    draw = np.random.default_rng(seed)
    for place in draw.integers(0, len(content), 20):
        content[place] = draw.integers(256)
    file.write_bytes(content)
    with contextlib.suppress(ValueError):
        read_graph(file)


def declares_32_gib(made: Any) -> None:
    made.create_dataset("node/big", shape=(2**32,), dtype="f8", chunks=(2**20,))


def links_to_itself(made: Any) -> None:
    made["node/nodes/again"] = made["node"]


def lies_elsewhere(made: Any) -> None:
    made.create_dataset("node/weight", shape=(4,), dtype="u1", external=[("secret.bin", 0, 4)])


def points_elsewhere(made: Any) -> None:
    made["node/weight"] = h5py.ExternalLink("other.h5", "/x")


def points_within(made: Any) -> None:
    made["node/weight"] = h5py.SoftLink("/version")


def is_virtual(made: Any) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
    made.create_virtual_dataset("node/weight", layout)


def is_deep(made: Any) -> None:
    made.create_group("node/" + "/".join("abcdefghijk"))


def holds_objects(made: Any) -> None:
    made.create_dataset("node/weight", data=np.zeros(2, dtype=[("a", "f4"), ("b", "f4")]))


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (declares_32_gib, "expected at most 1,073,741,824 bytes"),
        (links_to_itself, "expected every object once"),
        (lies_elsewhere, "an array that is stored in another file"),
        (points_elsewhere, "expected data in the file itself, got a link"),
        (points_within, "expected data in the file itself, got a link"),
        (is_virtual, "an array that is stored in another file"),
        (is_deep, "expected at most 8 nested groups"),
        (holds_objects, "expected numbers or strings"),
    ],
)
def test_what_leads_out_of_the_file_or_memory_is_refused(attack: Any, why: str, file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"key!")
    with h5py.File(file, "a") as made:
        attack(made)
    with pytest.raises(ValueError, match=rf"net.nir, .*{why}.*Use a file from a source that you trust"):
        from_nir(file)


def test_many_objects_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "net.nir", "w") as made:
        for i in range(10_001):
            made.create_group(f"g{i}")
    with pytest.raises(ValueError, match="at most 10,000 objects"):
        read_tree(tmp_path / "net.nir")


@pytest.mark.parametrize("version", ["99.0", None])
def test_an_unknown_version_is_read_and_told(file: Path, version: str | None) -> None:
    with h5py.File(file, "a") as made:
        del made["version"]
        if version is not None:
            made["version"] = version
    with pytest.warns(UserWarning, match=f"version: expected 0 or 1, got {version or 'none'}; read as version 1"):
        from_nir(file)
