"""Comparison and timing of contenders: results are compared first, then contenders are timed in interleaved rounds, A B A B.

On a shared machine absolute times vary; ratios within one round vary less, because other load affects all contenders of the round.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import DendrixError

Results = dict[str, Tensor]
Step = Callable[[], Results]

OURS = "dendrix"


class UnavailableError(DendrixError):
    """A contender that cannot run on this machine, with the reason."""


@dataclass(frozen=True)
class Contender:
    """An implementation of a case."""

    name: str
    build: Callable[..., Step]
    """Takes the sizes of the case by name, makes inputs and modules, and returns the step to be timed. The step returns named results in a
    layout that is common to all contenders."""
    equals: str | None = None
    """The contender whose results it must reproduce; None only for a reference and for a limit."""


@dataclass(frozen=True)
class Case:
    """A computation that several contenders perform. `contenders[0]` is usually the reference for the results of the others."""

    name: str
    about: str
    size: dict[str, int]
    warm: dict[str, int]
    """A small size: it loads code before memory is measured, and is the size of a smoke run."""
    contenders: tuple[Contender, ...]
    tolerance: float
    """Largest relative error of a result, see `relative_error`."""
    repeats: int = 7
    """Rounds of timing; 0 measures only memory."""
    all_threads: bool = True
    """Whether every number of threads is measured, or only the greatest because the case takes minutes."""
    exact: dict[str, int] | None = None
    """Another size at which all results are compared, if only those in `coarse` can be compared at the full size."""
    coarse: dict[str, float] | None = None
    """Results that are compared at the full size if there is an `exact` one, and their tolerances."""
    memory: bool = True
    """Whether memory is measured; on a GPU it is not."""


@dataclass(frozen=True)
class Timing:
    """Seconds of each repetition, in the order of the rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def ratio_to(self, other: "Timing") -> tuple[float, float, float]:
        """Ratio of the times to those of `other`: median, least and greatest over the rounds."""
        ratios = [a / b for a, b in zip(self.seconds, other.seconds, strict=True)]
        return statistics.median(ratios), min(ratios), max(ratios)


@dataclass(frozen=True)
class Outcome:
    """Result of a case: errors and timings by contender, and the reason for each contender without timings."""

    errors: dict[str, dict[str, float]]
    timings: dict[str, Timing]
    refused: dict[str, str]


def relative_error(result: Tensor, truth: Tensor) -> float:
    """Norm of the difference over the norm of the truth; infinite if shapes differ or a value is not finite."""
    if result.shape != truth.shape:
        return float("inf")
    difference = torch.linalg.vector_norm(result - truth, dtype=torch.float64)
    error = float(difference / torch.linalg.vector_norm(truth, dtype=torch.float64).clamp_min(1e-30))
    return error if error == error else float("inf")


def gate(results: Results, truth: Results, tolerances: dict[str, float]) -> tuple[dict[str, float], str | None]:
    """Compare results with the truth: the error of each result, and the reason for a refusal or None."""
    if results.keys() != truth.keys():
        return {}, f"returns {sorted(results)} where {sorted(truth)} was expected"
    errors = {name: relative_error(results[name], truth[name]) for name in tolerances}
    worst = max(errors, key=lambda name: errors[name] / tolerances[name])
    wrong = errors[worst] > tolerances[worst]
    return errors, f"{worst} is off by {errors[worst]:.1e}, allowed {tolerances[worst]:.0e}" if wrong else None


def measure(case: Case) -> Outcome:
    """Build all contenders, compare their results, and time those with correct results."""
    steps, errors, refused = _compare(case, case.size, case.coarse)
    if case.exact:
        _, exact_errors, wrong = _compare(case, case.exact, None)
        errors = {name: found | {f"{result} at full size": e for result, e in errors[name].items()} for name, found in exact_errors.items()}
        refused = wrong | refused
    return Outcome(errors, interleave({k: v for k, v in steps.items() if k not in refused}, case.repeats), refused)


def _compare(
    case: Case, size: dict[str, int], tolerances: dict[str, float] | None
) -> tuple[dict[str, Step], dict[str, dict[str, float]], dict[str, str]]:
    """All steps at one size, the errors of their results, and refused contenders with reasons; without `tolerances`, all results count."""
    steps: dict[str, Step] = {}
    errors: dict[str, dict[str, float]] = {}
    refused: dict[str, str] = {}
    results: dict[str, Results] = {}
    for contender in case.contenders:
        try:
            steps[contender.name] = contender.build(**size)
        except UnavailableError as reason:
            refused[contender.name] = str(reason)
        else:
            results[contender.name] = steps[contender.name]()
    for contender in case.contenders:
        truth = contender.equals
        if contender.name not in steps or truth is None:
            continue
        if truth not in steps:
            refused[contender.name] = f"nothing to compare with: {refused[truth]}"
            continue
        allowed = tolerances or dict.fromkeys(results[truth], case.tolerance)
        errors[contender.name], wrong = gate(results[contender.name], results[truth], allowed)
        if wrong:
            refused[contender.name] = wrong
    return steps, errors, refused


def interleave(steps: Mapping[str, Callable[[], Any]], repeats: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, Timing]:
    """Time every step once per round.

    Args:
        steps: by name.
        repeats: number of rounds.
        clock: seconds; `time.thread_time` excludes the time of other processes.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            start = clock()
            step()
            seconds[name].append(clock() - start)
    return {name: Timing(tuple(s)) for name, s in seconds.items() if s}


def slope(sizes: list[int], seconds: list[float]) -> float:
    """Exponent p of cost ~ size^p: the least-squares slope of log cost over log size."""
    x = torch.tensor(sizes, dtype=torch.float64).log()
    y = torch.tensor(seconds, dtype=torch.float64).log()
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())
