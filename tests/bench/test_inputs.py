"""Benchmark inputs: no membrane at the threshold, and the same numbers in either layout."""

import pytest
import torch

from dendrix.bench.inputs import MARGIN, clearance, cotangent, currents
from dendrix.neurons import LIF


@pytest.mark.parametrize("scale_input", [False, True])
def test_no_membrane_comes_near_the_threshold(scale_input: bool) -> None:
    neuron = LIF(64, decay=0.5, train_tau=False, v_reset=0.0, scale_input=scale_input)
    x = currents(neuron, batch=16, steps=400).double()
    v, nearest, fired = torch.zeros(16, 64, dtype=torch.float64), 1.0, 0
    for x_t in x.unbind(1):
        h = 0.5 * (v + x_t) if scale_input else 0.5 * v + x_t
        nearest = min(nearest, float((h - 1).abs().min()))
        v = torch.where(h >= 1, 0, h)
        fired += int((h >= 1).sum())
    # 400,000 random membranes would come about ten times nearer.
    assert nearest >= 1e-5
    assert 0.05 < fired / x.numel() < 0.5


def test_layouts_hold_the_same_numbers() -> None:
    neuron = LIF(5, decay=0.5, train_tau=False)
    first, batch_first = currents(neuron, 3, 7, time_first=True), currents(neuron, 3, 7)
    assert first.transpose(0, 1).is_contiguous()
    assert batch_first.is_contiguous()
    assert torch.equal(first, batch_first)
    assert torch.equal(cotangent(3, 7, 5, time_first=True), cotangent(3, 7, 5))


def test_clearance_is_the_least_distance() -> None:
    neuron = LIF(2, decay=0.5, train_tau=False, v_reset=0.0).double()
    # Membranes 0.9, 1.05 (fires), 0.4 and 0.2, 0.1, 0.05: the nearest to 1 is 1.05.
    x = torch.tensor([[[0.9, 0.2], [0.6, 0.0], [0.4, 0.0]]], dtype=torch.float64)
    assert clearance(neuron, x) == pytest.approx(0.05)


def test_currents_have_the_clearance_they_promise() -> None:
    neuron = LIF(32, decay=0.5, train_tau=False, v_reset=0.0)
    assert clearance(neuron.double(), currents(neuron.float(), 8, 200).double()) >= MARGIN
