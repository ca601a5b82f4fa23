"""Overlaps of many probes with many segments, beside matrix products and packed words."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..sdr import SDR, SegmentIndex
from .harness import OURS, Case, Contender, Results, Step, UnavailableError

_PRODUCT = "float32 matrix product"

_SHAPES = {
    "sdr-200": dict(n=2048, a=40, s=20, M=200, Q=1024),
    "sdr-4096": dict(n=2048, a=40, s=20, M=4096, Q=128),
    "sdr-16384": dict(n=16384, a=320, s=24, M=4096, Q=128),
    "sdr-65536": dict(n=65536, a=1310, s=30, M=2048, Q=64),
}

Search = Callable[[SDR, SDR], Callable[[], NDArray[Any]]]
"""Takes segments and probes, and returns the timed function that computes their overlaps [Q, M]."""


def _contender(name: str, search: Search, equals: str | None = _PRODUCT) -> Contender:
    def build(n: int, a: int, s: int, M: int, Q: int) -> Step:
        overlaps = search(SDR.random(n, s, M, seed=1), SDR.random(n, a, Q, seed=2))

        def step() -> Results:
            return {"overlaps": torch.from_numpy(overlaps())}

        return step

    return Contender(name, build, equals)


def _product(segments: SDR, probes: SDR) -> Callable[[], NDArray[Any]]:
    x, y = (torch.from_numpy(codes.dense()).float() for codes in (probes, segments))
    return lambda: (x @ y.T).numpy()


def _index(segments: SDR, probes: SDR) -> Callable[[], NDArray[Any]]:
    index = SegmentIndex(segments.n)
    index.insert(segments)
    return lambda: index.overlaps(probes)


def _bitwise_count(segments: SDR, probes: SDR) -> Callable[[], NDArray[Any]]:
    x, y = probes.packed(), segments.packed()
    return lambda: np.stack([np.bitwise_count(y & probe).sum(1, dtype=np.int16) for probe in x])


def _sparse(codes: SDR) -> Any:
    try:
        matrix = import_module("scipy.sparse").csr_matrix
    except ImportError as error:
        raise UnavailableError("scipy is not installed. pip install dendrix[audio].") from error
    return matrix((np.ones(len(codes.cells), np.float32), codes.cells, codes.starts), (len(codes), codes.n))


def _sparse_dense(segments: SDR, probes: SDR) -> Callable[[], NDArray[Any]]:
    x, y = probes.dense().T.astype(np.float32, order="C"), _sparse(segments)
    return lambda: (y @ x).T


def _sparse_sparse(segments: SDR, probes: SDR) -> Callable[[], NDArray[Any]]:
    x, y = _sparse(probes), _sparse(segments).T.tocsr()
    return lambda: (x @ y).toarray()


def cases() -> list[Case]:
    """Four sizes. Every contender returns all overlaps as one dense array [Q, M]; dendrix and scipy use one thread."""
    contenders = (
        _contender(_PRODUCT, _product, None),
        _contender(OURS, _index),
        _contender("scipy, sparse x sparse", _sparse_sparse),
        _contender("scipy, sparse x dense", _sparse_dense),
        _contender("numpy, packed words and bitwise_count", _bitwise_count),
    )
    return [
        Case(
            name,
            f"Overlaps of {size['Q']} probes with {size['M']} segments of {size['s']} synapses, {size['a']} of {size['n']} cells active",
            size,
            {**size, "M": 50, "Q": 8},
            contenders,
            1e-12,
        )
        for name, size in _SHAPES.items()
    ]
