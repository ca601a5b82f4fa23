"""The paper's formula, and what it says of itself."""

import pytest
import torch
from torch import nn

from dendrix.energy import ASSUMED_RATE, Costs, Metered, Operations, estimates, formula, measure
from dendrix.models import SpikeGPT, SpikeGPTConfig


def test_the_formula_by_hand() -> None:
    model = SpikeGPT(SpikeGPTConfig(20, width=8, layers=3))
    report = measure(model, [torch.zeros(2, 5, dtype=torch.int64)])
    assumed = formula(model, report)
    assert assumed is not None
    found = assumed.operations
    assert found.macs == 10 * 3 * 7 * 8
    assert found.acs == pytest.approx(10 * 3 * 0.15 * (3 * 64 + 9 * 64))


def test_the_published_factor_comes_out_if_attention_is_left_out() -> None:
    """32.2 for d = 512 and T = 3072, beside a transformer whose products of attention are not counted but whose softmax is."""
    width, steps, costs = 512, 3072, Costs()
    transformer = Operations(macs=12 * width**2 + 3 * steps, acs=0)
    spiking = Operations(macs=7 * width, acs=ASSUMED_RATE * 12 * width**2)
    assert transformer.picojoules(costs) / spiking.picojoules(costs) == pytest.approx(32.21, abs=0.005)


@pytest.mark.parametrize("part", ["decay_rank", "window"])
def test_other_time_mixes_have_no_formula(part: str) -> None:
    model = SpikeGPT(SpikeGPTConfig(20, width=16, layers=1, **{part: 4})).eval()
    assert formula(model, measure(model, [torch.randint(20, (2, 5))])) is None


def test_other_networks_have_no_formula() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    report = measure(model, [torch.rand(5, 4)])
    assert formula(model, report) is None
    assert [line.title for line in estimates(Metered(model, report, "input"))] == ["as built, measured"]


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_energies_are_finite_and_not_negative(wrong: float) -> None:
    with pytest.raises(ValueError, match="mac_pj"):
        Costs(mac_pj=wrong)


def test_three_estimates() -> None:
    tokens = torch.randint(20, (2, 5))
    built, fed = (SpikeGPT(SpikeGPTConfig(20, width=8, layers=2, spikes=spikes, v_threshold=0.02)) for spikes in ("output", "input"))
    published, variant = (Metered(model, measure(model, [tokens]), "token") for model in (built, fed))
    first, second, third = estimates(published, variant)
    assert first.operations == Operations(2 * 13 * 64 + 160, 0)
    assert second.operations == Operations(2 * 7 * 8, pytest.approx(0.15 * 2 * 12 * 64))
    assert third.operations.macs == 160
    assert "0 of 15 matrix products have spike inputs" in first.note
    assert estimates(published)[2].operations is None
    assert len(estimates(variant)) == 2  # it is the variant itself, so a third line would repeat the first


def test_a_line_says_that_it_is_too_low() -> None:
    model = nn.LSTM(3, 4, batch_first=True)
    assert "too low, because 1 modules" in estimates(Metered(model, measure(model, [torch.rand(2, 5, 3)]), "input"))[0].note
