"""Every layer with a state, found by scanning the package, so that a new neuron is tested by existing."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dendrix.neurons
from dendrix.core import State, Stateful, map_state
from dendrix.layers import (
    ActiveDendrites,
    BatchNorm,
    DelayLinear,
    DendriticSegments,
    HeldDropout,
    KWinners,
    PerStep,
    Recurrent,
    RecurrentDelay,
    Sequential,
    SparseLinear,
)
from dendrix.models.spikegpt.blocks import ChannelMix, TimeMix
from dendrix.neurons import LI, LIF, Neuron

SIZE = 4
"""Channels of every layer under test, in and out."""


def neurons() -> list[type[Neuron]]:
    """Every neuron in the package."""
    for module in pkgutil.iter_modules(dendrix.neurons.__path__, "dendrix.neurons."):
        importlib.import_module(module.name)
    return sorted(Neuron.__subclasses__(), key=lambda cls: cls.__name__)


def with_options(cls: type[Neuron], **options: Any) -> Neuron:
    """A neuron with those of the options that it has."""
    return cls(SIZE, **{k: v for k, v in options.items() if k in inspect.signature(cls).parameters})


def stack(spike: Callable[[Tensor], Tensor] | None) -> Sequential:
    options = {} if spike is None else dict(spike=spike, detach_reset=False)
    return Sequential(LIF(SIZE, **options), BatchNorm(SIZE), nn.Linear(SIZE, SIZE), HeldDropout(0.5), LI(SIZE))


class OwnContext(Stateful):
    """Active dendrites that read what they gate."""

    def __init__(self) -> None:
        super().__init__()
        self.dendrites = ActiveDendrites(SIZE, SIZE, segments=3)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        return self.dendrites(x, state, valid, x)


def segments(spike: Callable[[Tensor], Tensor] | None) -> DendriticSegments:
    """Where the threshold is smooth, the connections are fixed: their straight-through gradient is no derivative."""
    layer = DendriticSegments(SIZE, SIZE, synapses=2, theta=1, **({} if spike is None else dict(spike=spike)))
    return layer.requires_grad_(spike is None)


def builders() -> dict[str, Callable[..., Stateful]]:
    """Name -> function that builds the layer; it takes the `spike` to use in place of the default."""
    found: dict[str, Callable[..., Stateful]] = {}
    for cls in neurons():
        found[cls.__name__] = lambda spike=None, cls=cls: with_options(
            cls, **({} if spike is None else dict(spike=spike, detach_reset=False))
        )
    found["Recurrent"] = lambda spike=None: Recurrent(found["LIF"](spike=spike), nn.Linear(SIZE, SIZE, bias=False))
    found["Recurrent AdLIF"] = lambda spike=None: Recurrent(found["AdLIF"](spike=spike), nn.Linear(SIZE, SIZE))
    found["RecurrentDelay"] = lambda spike=None: RecurrentDelay(found["LIF"](spike=spike), 30, 10, start_ms=15)
    found["Sequential"] = lambda spike=None: stack(spike)
    found["PerStep"] = lambda spike=None: PerStep(nn.Linear(SIZE, SIZE))
    found["BatchNorm"] = lambda spike=None: BatchNorm(SIZE)
    found["HeldDropout"] = lambda spike=None: HeldDropout(0.5)
    found["KWinners"] = lambda spike=None: KWinners(SIZE, 2, boost=1.0, momentum=0.0)
    found["SparseLinear"] = lambda spike=None: SparseLinear(SIZE, SIZE)
    found["ActiveDendrites"] = lambda spike=None: OwnContext()
    found["DendriticSegments"] = segments
    # Without neurons where the threshold is smooth: SpikeGPT fixes its surrogate.
    found["TimeMix"] = lambda spike=None: TimeMix(SIZE, "output" if spike is None else "none")
    found["TimeMix on bits"] = lambda spike=None: TimeMix(SIZE, "input" if spike is None else "none")
    found["ChannelMix"] = lambda spike=None: ChannelMix(SIZE, "output" if spike is None else "none")
    for granularity in ("synaptic", "axonal", "dendritic"):
        found[f"DelayLinear {granularity}"] = lambda spike=None, granularity=granularity: DelayLinear(
            SIZE, SIZE, max_delay_ms=40, dt_ms=10, granularity=granularity
        )
    return found


BUILDERS = builders()

DIFFERENTIABLE = [name for name in BUILDERS if not name.startswith("TimeMix")]
"""WKV scales its state by a running maximum, which counts as a constant: see `tests/layers/test_wkv.py` for its gradients."""


@pytest.fixture(params=BUILDERS)
def build(request: pytest.FixtureRequest) -> Callable[..., Stateful]:
    """Builds one layer, in float64 and evaluation mode: equal then means equal to twelve digits, also through a matrix product."""
    return lambda spike=None: BUILDERS[request.param](spike=spike).double().eval()


@pytest.fixture
def layer(build: Callable[..., Stateful]) -> Stateful:
    return build()


@pytest.fixture
def x() -> Tensor:
    """Input that makes every neuron fire now and then, [B=3, T=7, C]."""
    return torch.randn(3, 7, SIZE, dtype=torch.float64) + 0.5


@pytest.fixture(params=["left", "right", "gaps"])
def valid(request: pytest.FixtureRequest) -> Tensor:
    """Rows with padding on the left, on the right, or with gaps; one row is whole."""
    keep = torch.ones(3, 7, dtype=torch.bool)
    if request.param == "left":
        keep[1, :3] = keep[2, :5] = False
    elif request.param == "right":
        keep[1, 4:] = keep[2, 1:] = False
    else:
        keep[1, [0, 2, 3, 6]] = keep[2, [1, 5]] = False
    return keep


def tensors(state: Any) -> list[Tensor]:
    """All tensors of a state, in order."""
    found: list[Tensor] = []

    def note(part: Tensor) -> Tensor:
        found.append(part)
        return part

    map_state(note, state)
    return found


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
