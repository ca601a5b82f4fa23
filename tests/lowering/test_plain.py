"""Hooks run wherever a compiled form might stand for the modules, or are refused; computed weights are read as they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from dendrix.deploy import StreamingNetwork, quantise, quantise_text, streaming
from dendrix.errors import InputError
from dendrix.exits import Margin, run
from dendrix.generate import Decoder
from dendrix.layers import PerStep, Sequential
from dendrix.lowering.layers import lower
from dendrix.models import Converted
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from dendrix.neurons import LIF
from support.compiled_runs import how
from support.integer_images import converted, images

NEVER = Margin(float("inf"))


def linear() -> Sequential:
    torch.manual_seed(0)
    return Sequential(nn.Linear(6, 12), LIF(12), nn.Linear(12, 4)).eval()


def convolutional() -> Sequential:
    torch.manual_seed(0)
    part = nn.Sequential(nn.Flatten(), nn.Linear(8 * 9, 4))
    return Sequential(PerStep(nn.Conv2d(6, 8, 3)), LIF(8), PerStep(part)).eval()


def inputs(net: nn.Module) -> torch.Tensor:
    shape = (9, 7, 6) if isinstance(net.stages[0], nn.Linear) else (9, 7, 6, 5, 5)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 2


def first(net: nn.Module) -> nn.Module:
    return net.stages[0] if isinstance(net.stages[0], nn.Linear) else net.stages[0].module


@contextmanager
def hooked(net: nn.Module, kind: str) -> Iterator[None]:
    """Context in which a hook doubles what the first layer gets or gives."""
    layer = first(net)

    def give(module: nn.Module, _: object, y: torch.Tensor) -> torch.Tensor | None:
        return 2 * y if module is layer else None

    def get(module: nn.Module, x: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        return (2 * x[0],) if module is layer else None

    handle = {
        "forward": lambda: layer.register_forward_hook(give),
        "forward, keywords": lambda: layer.register_forward_hook(lambda m, x, _, y: give(m, x, y), with_kwargs=True),
        "before": lambda: layer.register_forward_pre_hook(get),
        "global": lambda: register_module_forward_hook(give),
        "global, before": lambda: register_module_forward_pre_hook(get),
    }[kind]()
    try:
        yield
    finally:
        handle.remove()


KINDS = ("forward", "forward, keywords", "before", "global", "global, before")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [linear, convolutional])
def test_hooks_run_in_exits(make: Callable[[], Sequential], kind: str) -> None:
    net = make()
    x = inputs(net)
    plain = run(net, x, NEVER).evidence
    assert "compiled_runs" in how()
    with hooked(net, kind), torch.inference_mode():
        expected, found = net(x)[0].sum(1), run(net, x, NEVER).evidence
        assert "hooks" in how()
    assert torch.allclose(found, expected, atol=1e-5)
    assert (found - plain).abs().max() > 0.1
    assert torch.equal(run(net, x, NEVER).evidence, plain)


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_run_in_streams_and_are_refused_by_forms_without_modules(kind: str) -> None:
    net = linear()
    assert isinstance(streaming(net), StreamingNetwork)
    with hooked(net, kind):
        assert streaming(net) is net
        for form in (StreamingNetwork, lambda given: quantise(given, [inputs(given)])):
            with pytest.raises(InputError, match=r"got (global|forward) hooks"):
                form(net)
    quantise(net, [inputs(net)])


def test_hooks_inside_of_converted_networks_are_refused() -> None:
    net: Converted = converted("vgg")
    quantise(net)
    layer = next(module for module in net.network.body.modules() if isinstance(module, nn.Conv2d))
    layer.register_forward_hook(lambda _, __, y: y)
    with pytest.raises(InputError, match="got forward hooks"):
        quantise(net)
    run(net, net.encode(images(3)), NEVER)
    assert "hooks" in how()


class Doubled(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


COMPUTED = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "own": lambda layer: nn.utils.parametrize.register_parametrization(layer, "weight", Doubled()),
    "weight norm by a hook": weight_norm,
    "spectral norm by a hook": spectral_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("kind", COMPUTED)
@pytest.mark.parametrize("make", [linear, convolutional])
def test_computed_weights_are_read_as_they_are(make: Callable[[], Sequential], kind: str) -> None:
    """Also after a change of what they are computed from, which hooks apply in the next call only."""
    net = make()
    before = run(net, inputs(net), NEVER).evidence
    COMPUTED[kind](first(net))
    net.eval()
    with torch.no_grad():
        for name, value in net.named_parameters():
            if "original" in name or name.endswith(("_g", "_orig")):
                value.mul_(1.7)
        expected = net(inputs(net))[0].sum(1)
    found = run(net, inputs(net), NEVER).evidence
    assert ("compiled_runs" in how()) == (kind in ("weight norm", "spectral norm"))
    assert torch.allclose(found, expected, atol=1e-4)
    assert kind == "spectral norm" or (found - before).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["weight norm", "spectral norm", "own"])
def test_forms_without_modules_read_computed_weights(kind: str) -> None:
    net = linear()
    COMPUTED[kind](first(net))
    net.eval()
    with torch.no_grad():
        expected = net(inputs(net))[0]
    assert torch.allclose(StreamingNetwork(net)(inputs(net))[0], expected, atol=1e-4)
    assert torch.allclose(torch.from_numpy(lower(net)[0].synapses.weight[..., 0]).float(), first(net).weight)


@pytest.mark.parametrize(
    "form", [Decoder, lambda net: quantise_text(net, [torch.zeros(1, 4, dtype=torch.int64)])], ids=["decoder", "integers"]
)
def test_forms_of_language_models_refuse_hooks(form: Callable[[SpikeGPT], object]) -> None:
    net = SpikeGPT(SpikeGPTConfig(20, 16, 1)).eval()
    form(net)
    net.blocks[0].ffn.key.register_forward_hook(lambda _, __, y: 2 * y)
    with pytest.raises(InputError, match=r"blocks.0.ffn.key \(Linear\): expected .* got forward hooks"):
        form(net)
