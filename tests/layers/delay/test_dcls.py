"""Loading checkpoints of the published layer."""

import pytest
import torch
from torch import Tensor

from dendrix.layers import BatchNorm, DelayLinear, Sequential, load_dcls


def network() -> Sequential:
    return Sequential(DelayLinear(3, 4, 70.0, 10.0), BatchNorm(4), DelayLinear(4, 2, 70.0, 10.0))


def checkpoint() -> dict[str, Tensor]:
    """Names as a `SnnDelays` network saves them: layers in a Sequential called `model`, neurons without tensors between."""
    tensors = {}
    for place, shape in ((0, (4, 3, 1)), (4, (2, 4, 1))):
        tensors[f"model.{place}.weight"] = torch.randn(shape)
        tensors[f"model.{place}.P"] = torch.rand(1, *shape) * 6 - 3
        tensors[f"model.{place}.SIG"] = torch.full((1, *shape), 0.5)
    for name in ("weight", "bias", "running_mean", "running_var"):
        tensors[f"model.1.{name}"] = torch.rand(4)
    tensors["model.1.num_batches_tracked"] = torch.tensor(7)
    return tensors


def test_a_network() -> None:
    model, tensors = network(), checkpoint()
    load_dcls(model, tensors)
    first, norm, last = model.stages
    assert torch.equal(first.weight, tensors["model.0.weight"])
    assert torch.equal(last.delay, 3 - tensors["model.4.P"][0])
    assert last.width == 0.5
    assert torch.equal(norm.running_var, tensors["model.1.running_var"])


def test_a_single_layer() -> None:
    model, tensors = DelayLinear(3, 4, 70.0, 10.0), checkpoint()
    load_dcls(model, {name: tensors[f"model.0.{name}"] for name in ("weight", "P", "SIG")})
    assert torch.equal(model.weight, tensors["model.0.weight"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model.4.P": None}, "expected 2 delay layers, got 1"),
        ({"model.1.running_mean": None}, "expected 1 batch normalisations, got 0"),
        ({"model.4.SIG": None}, r"model.4.SIG: expected shape \(1, 2, 4, 1\), got nothing"),
        ({"model.0.weight": torch.ones(4, 3, 2)}, r"model.0.weight: expected shape \(4, 3, 1\), got \(4, 3, 2\)"),
        ({"model.4.SIG": torch.arange(8.0).view(1, 2, 4, 1)}, "model.4.SIG: expected one width"),
        ({"model.0.P": torch.full((1, 4, 3, 1), 9.0)}, "within 3 steps of the centre, got 9"),
        ({"model.1.bias": torch.ones(5)}, "model.1.bias: expected shape"),
    ],
)
def test_what_does_not_fit_changes_nothing(change: dict[str, Tensor | None], words: str) -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tensors = {name: value for name, value in {**checkpoint(), **change}.items() if value is not None}
    with pytest.raises(ValueError, match=words):
        load_dcls(model, tensors)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_axonal_delays_are_refused() -> None:
    tensors = {name.removeprefix("model.0."): value for name, value in checkpoint().items() if name.startswith("model.0.")}
    with pytest.raises(ValueError, match="expected synaptic delays for P, got axonal"):
        load_dcls(DelayLinear(3, 4, 70.0, 10.0, granularity="axonal"), tensors)


@pytest.mark.parametrize("name", ["weight", "P"])
def test_numbers_of_which_a_part_would_be_lost_are_refused(name: str) -> None:
    tensors = checkpoint()
    key = next(key for key in tensors if key.endswith("." + name))
    with pytest.raises(ValueError, match=f"tensors: expected finite real numbers, but complex numbers, .* are in {key}"):
        load_dcls(network(), tensors | {key: tensors[key] * (1 + 0j)})
