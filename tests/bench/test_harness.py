"""The gate lets no wrong contender have a number, rounds are interleaved, and ratios are what they say."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dendrix.bench.harness import Case, Contender, Step, Timing, UnavailableError, gate, interleave, measure, relative_error, slope

SECONDS = st.floats(1e-3, 1e3)


def returning(change: Callable[[Tensor], Tensor]) -> Callable[..., Step]:
    """Build a step whose output is `change` of 0, 1, .., N - 1."""
    return lambda N: lambda: {"y": change(torch.arange(float(N)))}


def missing(N: int) -> Step:
    raise UnavailableError(f"no peer for {N}")


def case(*contenders: Contender) -> Case:
    return Case("test", "a test", dict(N=8), dict(N=2), (Contender("truth", returning(lambda y: y)), *contenders), 1e-6, repeats=2)


def test_right_contenders_are_timed() -> None:
    outcome = measure(case(Contender("dendrix", returning(lambda y: y * 1.0), "truth")))
    assert outcome.refused == {}
    assert outcome.errors == {"dendrix": {"y": 0.0}}
    assert {name: len(timing.seconds) for name, timing in outcome.timings.items()} == {"truth": 2, "dendrix": 2}


@pytest.mark.parametrize(
    "wrong",
    [lambda y: y + 1e-3, lambda y: y[:-1], lambda y: torch.full_like(y, torch.nan), lambda y: y.unsqueeze(0), torch.zeros_like],
    ids=["slightly off", "too short", "nan", "another shape", "silent"],
)
def test_wrong_contenders_get_no_number(wrong: Callable[[Tensor], Tensor]) -> None:
    outcome = measure(case(Contender("dendrix", returning(wrong), "truth")))
    assert "dendrix" not in outcome.timings
    assert "y is off by" in outcome.refused["dendrix"]


def test_results_under_other_names_are_refused() -> None:
    assert gate({"z": torch.ones(2)}, {"y": torch.ones(2)}, {"y": 1.0})[1] == "returns ['z'] where ['y'] was expected"


def with_coarse(dendrix: Contender) -> Case:
    return replace(case(dendrix), exact=dict(N=2), coarse={"y": 0.1})


@pytest.mark.parametrize(("at", "allowed"), [(2, "1e-06"), (8, "1e-01")], ids=["exact", "full"])
def test_a_second_size_does_not_replace_the_first(at: int, allowed: str) -> None:
    """Wrong at either size is refused: at the exact one by the tolerance of the case, at the full one by the coarse one."""

    def build(N: int) -> Step:
        return lambda: {"y": torch.arange(float(N)) * (2 if at == N else 1)}

    refused = measure(with_coarse(Contender("dendrix", build, "truth"))).refused
    assert refused == {"dendrix": f"y is off by 1.0e+00, allowed {allowed}"}


def test_both_errors_are_recorded() -> None:
    def build(N: int) -> Step:
        return lambda: {"y": torch.arange(float(N)) * (1.05 if N == 8 else 1)}

    outcome = measure(with_coarse(Contender("dendrix", build, "truth")))
    assert outcome.errors["dendrix"] == {"y": 0.0, "y at full size": pytest.approx(0.05, rel=1e-5)}
    assert "dendrix" in outcome.timings


def test_absent_peers_are_named_and_the_others_run() -> None:
    outcome = measure(case(Contender("peer", missing), Contender("dendrix", returning(lambda y: y), "peer")))
    assert outcome.refused == {"peer": "no peer for 8", "dendrix": "nothing to compare with: no peer for 8"}
    assert list(outcome.timings) == ["truth"]


def test_rounds_are_interleaved() -> None:
    order: list[str] = []

    def step(name: str) -> Step:
        return lambda: {name: torch.tensor(float(order.append(name) or 0))}

    interleave({"a": step("a"), "b": step("b")}, 3)
    assert order == ["a", "b"] * 3


def test_without_rounds_nothing_is_timed() -> None:
    assert interleave({"a": dict}, 0) == {}


def test_ratios_are_taken_within_rounds() -> None:
    # The second round was disturbed tenfold for both: the ratio of totals would be 3, of each round it is 2, 3 and 4.
    assert Timing((2.0, 30.0, 4.0)).ratio_to(Timing((1.0, 10.0, 1.0))) == (3.0, 2.0, 4.0)


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=7))
def test_the_inverse_ratio_has_the_inverse_bounds(rounds: list[tuple[float, float]]) -> None:
    a, b = (Timing(tuple(seconds)) for seconds in zip(*rounds, strict=True))
    _, least, greatest = a.ratio_to(b)
    _, inverse_least, inverse_greatest = b.ratio_to(a)
    assert least * inverse_greatest == pytest.approx(1)
    assert greatest * inverse_least == pytest.approx(1)


@given(st.floats(-3, 3), st.floats(1e-6, 1e3))
def test_slope_finds_the_exponent(exponent: float, factor: float) -> None:
    sizes = [8, 16, 64, 100]
    assert slope(sizes, [factor * size**exponent for size in sizes]) == pytest.approx(exponent, abs=1e-9)


def test_relative_error_is_relative() -> None:
    truth = torch.tensor([3.0, 4.0])
    assert relative_error(truth * 1.5, truth) == pytest.approx(0.5)
    assert relative_error(truth * 1500, truth * 1000) == pytest.approx(0.5)
    assert relative_error(torch.zeros(2), torch.zeros(2)) == 0
