"""Accuracy and speed of false-positive probabilities, beside scipy's hypergeometric distribution and sums of log-gamma."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..sdr import false_positive
from .harness import OURS, Case, Contender, Results, Step, UnavailableError

_EXACT = "mpmath, 30 digits"
_SCIPY = "scipy hypergeom.sf"

Grid = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""n, a and s, [N, 1], and theta, [T]."""


def _settings(settings: int, thetas: int) -> Grid:
    """Settings with thousands to millions of cells, of which 0.5 % to 3 % are active."""
    draw = np.random.default_rng(0)
    n = (10 ** draw.uniform(4, 6.3, (settings, 1))).astype(np.int64)
    a = np.round(n * draw.uniform(0.005, 0.03, n.shape)).astype(np.int64)
    return n, a, draw.integers(20, 51, n.shape), np.arange(5, 5 + thetas)


def _contender(name: str, prepare: Callable[[Grid], Callable[[], Any]], equals: str | None) -> Contender:
    def build(settings: int, thetas: int) -> Step:
        curve = prepare(_settings(settings, thetas))

        def step() -> Results:
            return {"log p": torch.as_tensor(np.asarray(curve(), np.float64))}

        return step

    return Contender(name, build, equals)


def _ours(grid: Grid) -> Callable[[], Any]:
    return lambda: false_positive(*grid, log=True)


def _exact(grid: Grid) -> Callable[[], Any]:
    from mpmath import workdps

    def curve() -> Any:
        with workdps(30):
            return false_positive(*grid, log=True, backend="mpmath")

    return curve


def _scipy(grid: Grid) -> Callable[[], Any]:
    try:
        law = import_module("scipy.stats").hypergeom
    except ImportError as error:
        raise UnavailableError("scipy is not installed. pip install dendrix[audio].") from error
    n, a, s, theta = grid
    return lambda: np.log(law.sf(theta - 1, n, a, s))


def _log_gamma(grid: Grid) -> Callable[[], Any]:
    """The sum of Eq (4), each term from log-factorials, the common implementation."""
    try:
        special = import_module("scipy.special")
    except ImportError as error:
        raise UnavailableError("scipy is not installed. pip install dendrix[audio].") from error
    n, a, s, theta = (values[..., None] for values in np.broadcast_arrays(*grid))

    def ways(of: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        terms: NDArray[np.float64] = special.gammaln(of + 1) - special.gammaln(chosen + 1) - special.gammaln(of - chosen + 1)
        return terms

    def curve() -> Any:
        b = theta + np.arange(s.max() + 1)
        terms = ways(s, np.minimum(b, s)) + ways(n - s, a - b) - ways(n, a)
        return special.logsumexp(np.where(b <= s, terms, -np.inf), axis=-1)

    return curve


def cases() -> list[Case]:
    """Accuracy relative to mpmath, and speed on a grid for which mpmath would take minutes."""
    small = dict(settings=20, thetas=4)
    return [
        Case(
            "sdr-accuracy",
            "log of the false-positive probability, n up to 2,000,000",
            dict(settings=100, thetas=8),
            small,
            (
                _contender(_EXACT, _exact, None),
                _contender(OURS, _ours, _EXACT),
                _contender(_SCIPY, _scipy, _EXACT),
                _contender("sum of log-gamma", _log_gamma, _EXACT),
            ),
            tolerance=1e-6,
            repeats=3,
            all_threads=False,
        ),
        Case(
            "sdr-grid",
            "log of the false-positive probability on a grid of n, a, s and theta",
            dict(settings=2000, thetas=16),
            small,
            (
                _contender(_SCIPY, _scipy, None),
                _contender(OURS, _ours, _SCIPY),
                _contender("sum of log-gamma", _log_gamma, _SCIPY),
            ),
            tolerance=1e-6,
            repeats=3,
            all_threads=False,
        ),
    ]
