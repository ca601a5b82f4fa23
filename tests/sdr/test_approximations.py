"""The approximations, and their errors as the spec of the theory has them."""

import math

import numpy as np
import pytest

from dendrix.sdr import binomial_approximation, chernoff_bound, compare, false_positive, leading_term, power_law, set_bound


@pytest.mark.parametrize(
    ("setting", "lead", "binomial", "power"),
    [
        ((10_000, 300, 30, 15), 0.9725, 1.383, 2.12),
        ((4000, 128, 24, 12), 0.9724, 1.620, 2.32),
        ((200_000, 4000, 40, 20), 0.9807, 1.046, 1.54),
        ((2048, 40, 20, 10), 0.9864, 3.19, 3.82),
    ],
)
def test_errors_of_one_segment(setting: tuple[int, int, int, int], lead: float, binomial: float, power: float) -> None:
    ratio = {row.name: row.value / row.exact for row in compare(*setting)}
    assert ratio["leading_term"] == pytest.approx(lead, abs=5e-5)
    assert ratio["binomial_approximation"] == pytest.approx(binomial, abs=5e-3)
    assert ratio["power_law"] == pytest.approx(power, abs=5e-3)
    assert 8 < ratio["chernoff_bound"] < 18
    for row in compare(*setting):
        assert row.relative_error == pytest.approx(row.value / row.exact - 1, abs=1e-12)


def test_errors_of_sets_and_unions() -> None:
    values = {row.name: row for row in compare(1024, 20, 20, 20, 20)}
    assert values["bloom"].value == pytest.approx(1.83536456233615e-10, rel=1e-12)
    assert values["plugin_real"].value == pytest.approx(1.23782572305677e-10, rel=1e-12)
    assert values["plugin_round"].value == pytest.approx(1.25320341863889e-10, rel=1e-12)
    assert values["bloom"].exact == pytest.approx(1.3286818788126e-10, rel=1e-12)
    assert values["bloom"].relative_error == pytest.approx(0.38, abs=0.005)
    readme = {row.name: row for row in compare(100, 7, 7, 5, 500)}["set_bound"]
    assert (readme.value, readme.exact) == pytest.approx((0.0028264768483653, 0.00282249408991), rel=1e-11)


def test_bounds_are_bounds() -> None:
    theta = np.arange(-1, 26)
    for n, a in ((300, 75), (300, 3), (30, 24)):
        exact = false_positive(n, a, 24, theta, log=True)
        assert (leading_term(n, a, 24, theta, log=True) <= exact).all()
        assert (chernoff_bound(n, a, 24, theta, log=True) >= exact - 1e-12).all()
        assert (power_law(n, a, 24, theta, log=True)[1:] >= exact[1:] - 1e-12).all()
        assert (set_bound(n, a, 24, theta, 5, log=True) >= exact).all()


def test_limits() -> None:
    assert power_law(10, 10, 4, 2) == 6
    assert power_law(10, 0, 4, 2) == 0
    assert chernoff_bound(10, 0, 4, 2) == 0
    assert chernoff_bound(10, 5, 4, 5) == 0
    assert chernoff_bound(10, 5, 4, 4) == pytest.approx(1 / 16)
    assert binomial_approximation(10, 5, 4, 4) == 1 / 16
    assert compare(200_000, 2000, 300, 250)[0].exact == 0
    assert math.isfinite(compare(200_000, 2000, 300, 250)[0].relative_error)


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="a: expected at most n, got a=11 with n=10"):
        leading_term(10, 11, 4, 2)
