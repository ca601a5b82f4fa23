"""Every constructor of neurons, layers and models refuses wrong arguments in one sentence that begins with the argument's name."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dendrix import layers, models, neurons
from dendrix.core.described import Described
from dendrix.errors import DendrixError, InputError, InputTypeError
from dendrix.layers import BatchNorm, DelayLinear, KWinners, RecurrentDelay
from dendrix.neurons import IF, LIF, CubaLIF, Neuron
from dendrix.train.sequence.recipe import Budget
from support.constructors import CALLS, public, wrong_calls

UNLISTED = {
    Neuron: "is abstract",
    neurons.NIRNeuron: "takes arrays of coefficients; see tests/exchange",
    layers.MatchTheory: "is a result",
    layers.Sequential: "takes modules by position; see tests/layers/test_sequential.py",
    models.Converted: "converts a network; see tests/models/test_converted.py",
    models.StillImageNetwork: "is abstract",
    models.GPT2: "needs transformers; see tests/models/test_gpt2.py",
    models.PromptedClassifier: "takes prompts as tensors; see tests/models/test_prompted.py",
    models.ImageConfig: "is the base of VGGConfig and ResNetConfig",
}
"""Public classes without an entry in the table, and why."""

RENAMED = {(neurons.Decay, "factor"): "decay", (neurons.Decay, "train"): "train_tau"}
"""Arguments that a neuron calls otherwise."""


def test_every_public_class_is_tested() -> None:
    found = public(neurons) | public(layers) | public(models)
    assert found == (found & set(CALLS)) | set(UNLISTED)


@pytest.mark.parametrize("kind", CALLS)
def test_the_call_of_the_table_succeeds(kind: Callable[..., Any]) -> None:
    kind(**CALLS[kind])


def complaint(kind: Callable[..., Any], name: str, value: Any) -> str | None:
    """What is wrong with how a constructor refuses a value; None if nothing."""
    try:
        kind(**CALLS[kind] | {name: value})
    except DendrixError as error:
        message = str(error)
        starts = message.startswith((f"{RENAMED.get((kind, name), name)}: expected ", "mean and std: expected "))
        return None if starts and "\n" not in message and len(message) < 400 else message
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "is accepted"


@pytest.mark.parametrize("kind", CALLS)
def test_wrong_arguments_are_named(kind: Callable[..., Any]) -> None:
    calls = [(name, value) for other, name, value in wrong_calls() if other is kind]
    assert calls
    found = [(name, type(value), text) for name, value in calls if (text := complaint(kind, name, value)) is not None]
    assert not found


def test_a_wrong_refusal_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CALLS, nn.Linear, dict(in_features=3, out_features=2))
    assert complaint(nn.Linear, "bias", 1j) == "is accepted"
    assert "Error: " in str(complaint(nn.Linear, "in_features", "3"))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: KWinners(10, 2.5), r"winners: expected a whole number in \[1, 10\], got 2\.5\."),
        (lambda: BatchNorm(0), r"size: expected a whole number in \[1, inf\), got 0\."),
        (lambda: Budget(epochs=1.5), r"epochs: expected a whole number in \[1, inf\), got 1\.5\."),
        (lambda: LIF(2.5), r"size: expected a whole number in \[1, inf\), got 2\.5\."),
        (lambda: LIF(True), r"size: expected a whole number in \[1, inf\), got True\."),
        (lambda: LIF(3, v_reset=2.0), r"v_reset: expected less than v_threshold, got 2 where that is 1\."),
        (lambda: LIF(3, v_reset=[0.0, 1.0, 0.0]), r"v_reset: expected less than v_threshold, got 1 where that is 1\."),
        (lambda: LIF(3, v_threshold=[1.0, 2.0]), r"v_threshold: expected one number or one for each of 3 channels, got 2 entries\."),
        (lambda: LIF(3, v_threshold=[1.0, 0.0, 1.0]), r"v_threshold: expected a number in \(0, inf\), got 0\.0\."),
        (lambda: LIF(3, tau_ms=torch.ones(3, 1)), r"tau_ms: expected one number or one for each of 3 channels, got shape \[3, 1\]\."),
        (lambda: LIF(3, tau_ms=1e300), r"tau_ms: expected a number in \(0, inf\), got 1e\+300\. Numbers beyond 3\.4e38"),
        (lambda: CubaLIF(3, tau_syn_ms=-1), r"tau_syn_ms: expected a number in \(0, inf\), got -1\."),
        (lambda: RecurrentDelay(5, 30.0, 10.0), r"inner: expected neurons such as LIF\(128\), got 5\. Pass a Neuron\."),
        (lambda: RecurrentDelay(nn.Linear(3, 3)), r"inner: expected neurons such as LIF\(128\), got Linear\. Pass a Neuron\."),
        (lambda: DelayLinear(3, 3, 1e30, 1.0), r"max_delay_ms: expected at most 2\^24 steps of 1\.0 ms"),
        (lambda: layers.Recurrent(LIF(3), LIF(3)), r"feedback: expected a module such as nn\.Linear, got LIF\."),
        (lambda: layers.PerStep(LIF(3)), r"module: expected .*, got LIF\."),
        (lambda: layers.Sequential(nn.Linear(3, 3), 5), r"modules: expected modules, got 5 at position 1\."),
        (lambda: models.DelayNetConfig(3, 2, hidden=(4, 2.5)), r"hidden: expected a whole number in \[1, inf\), got 2\.5\."),
        (lambda: models.SpikeGPTConfig(10, layers=1.5), r"layers: expected a whole number in \[0, inf\), got 1\.5\."),
    ],
)  # fmt: skip
def test_examples_of_refusals(build: Callable[[], Any], message: str) -> None:
    with pytest.raises((InputError, InputTypeError), match=message):
        build()


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint16, lambda n: torch.tensor(n), lambda n: np.array(n)])
def test_whole_numbers_of_every_type_are_accepted(kind: Callable[[int], Any]) -> None:
    layer = KWinners(kind(10), kind(3))
    assert (type(layer.size), type(layer.winners)) == (int, int)
    assert layer.arguments() == KWinners(10, 3).arguments()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, int, lambda n: torch.tensor(float(n)), lambda n: [float(n)] * 3])
def test_numbers_of_every_type_are_accepted(kind: Callable[[int], Any]) -> None:
    layer = LIF(3, tau_ms=kind(20), v_threshold=kind(2), v_reset=kind(0))
    torch.testing.assert_close(layer.decay(), torch.full((3,), math.exp(-1 / 20)))
    x = torch.rand(2, 8, 3)
    assert torch.equal(layer(x)[0], LIF(3, tau_ms=20.0, v_threshold=2.0, v_reset=0.0)(x)[0])


DESCRIBED = [kind for kind in CALLS if kind in public(neurons) | public(layers) | public(models) and issubclass(kind, Described)]


@pytest.mark.parametrize("kind", DESCRIBED)
def test_arguments_build_an_equal_module(kind: type[Described]) -> None:
    first = kind(**CALLS[kind])
    given = first.arguments()
    assert set(given) <= set(inspect.signature(kind).parameters)
    second = kind(**given)
    second.load_state_dict(first.state_dict())
    assert repr(second) == repr(first)
    assert second.state_dict().keys() == first.state_dict().keys()


def test_thresholds_and_resets_may_differ_between_neurons() -> None:
    thresholds, resets = [0.5, 1.0, 2.0], [-1.0, 0.0, 0.25]
    together = LIF(3, tau_ms=[5.0, 10.0, 20.0], v_threshold=thresholds, v_reset=resets)
    x = torch.rand(2, 12, 3) * 2
    y, _ = together(x)
    for c, tau in enumerate((5.0, 10.0, 20.0)):
        alone, _ = LIF(1, tau_ms=tau, v_threshold=thresholds[c], v_reset=resets[c])(x[:, :, c : c + 1])
        assert torch.equal(y[:, :, c : c + 1], alone)
    assert together(x)[0].sum() > 0


def test_the_threshold_of_old_checkpoints_loads() -> None:
    layer = IF(2, v_threshold=[1.0, 1.0], v_init=[0.5, 0.5], amplitude=[1.0, 1.0])
    layer.load_state_dict({"threshold": torch.tensor([2.0, 3.0])})
    assert layer.constants["v_threshold"].tolist() == [2.0, 3.0]
    assert layer.constants["amplitude"].tolist() == [2.0, 3.0]
    assert layer.v_init.tolist() == [1.0, 1.5]
    signed = neurons.SignedIF(2, v_threshold=[1.0, 1.0], v_init=[0.5, 0.5])
    signed.load_state_dict({"threshold": torch.tensor([2.0, 3.0])})
    assert (signed.constants["v_threshold"].tolist(), signed.v_init.tolist()) == ([2.0, 3.0], [1.0, 1.5])


def test_a_file_with_impossible_values_is_refused() -> None:
    layer = LIF(2, v_threshold=[1.0, 1.0])
    with pytest.raises(InputError, match=r"v_threshold: expected a number in \(0, inf\), got -1\.0"):
        layer.load_state_dict(layer.state_dict() | {"v_threshold": torch.tensor([1.0, -1.0])})
