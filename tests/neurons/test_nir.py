"""Neurons with free coefficients: their arguments, shapes and limits. Equations: tests/exchange/test_dialects.py."""

import numpy as np
import pytest
import torch

from dendrix.neurons import LI, LIF, NIRNeuron


def test_it_is_a_lif_where_the_coefficients_say_so() -> None:
    x = torch.randn(3, 30, 5)
    lif = LIF(5, decay=0.8, v_reset=0.1, v_threshold=[0.5, 0.6, 0.7, 0.8, 0.9])
    same = NIRNeuron(5, beta=lif.decay().detach(), v_reset=0.1, v_threshold=[0.5, 0.6, 0.7, 0.8, 0.9], fires=">=")
    assert torch.equal(lif(x)[0], same(x)[0])
    integrators = NIRNeuron(5, beta=LI(5).decay().detach(), v_threshold=None)
    torch.testing.assert_close(integrators(x)[0], LI(5)(x)[0])


def test_arguments_build_an_equal_neuron() -> None:
    given = NIRNeuron(2, beta=np.linspace(0.1, 0.9, 12).reshape(2, 3, 2), alpha=0.5, v_reset=None, v_min=[-1.0, -2.0], dt_ms=2.0)
    again = NIRNeuron(**given.arguments())
    x = torch.randn(2, 9, 2, 3, 2)
    assert torch.equal(given(x)[0], again(x)[0])
    assert again.arguments() == given.arguments()
    assert again.dt_ms == 2.0


def test_equal_coefficients_are_kept_as_one_number() -> None:
    neuron = NIRNeuron(4, beta=np.full((4, 3, 3), 0.5), q=np.ones(4))
    assert neuron.beta.shape == ()
    assert neuron.params()["q"] is None


def test_coefficients_are_exact_in_float64() -> None:
    assert NIRNeuron(3, beta=0.96).double().beta.item() == 0.96


def test_coefficients_do_not_train() -> None:
    assert not list(NIRNeuron(3, alpha=0.5).parameters())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"beta": [0.1, 0.2]}, r"beta: expected finite numbers, one or \[3, ...\], got \[2\]"),
        ({"c": np.nan}, "c: expected finite numbers"),
        ({"fires": "often"}, "fires: expected one of"),
        ({"grid": 0.0}, "grid: expected a number"),
        ({"dt_ms": -1.0}, "dt_ms: expected a number"),
    ],
)
def test_wrong_coefficients_are_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        NIRNeuron(3, **wrong)
