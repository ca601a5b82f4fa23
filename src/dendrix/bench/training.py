"""Complete training steps: of the SHD network beside the published code, and of the networks for spoken digits and commands."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from ..core import use_kernels
from ..core.dispatch import Mode
from ..errors import InputError
from ..layers import BatchNorm, DelayLinear, HeldDropout
from ..models.delay_net import DelayNet, DelayNetConfig, published_shd
from ..neurons import LIF, Neuron
from ..train.products import fast_products
from . import peers
from .harness import OURS, Case, Contender, Results, Step
from .inputs import MARGIN, clearance

_WIDTH = 0.23
_MEAN_COUNT = 0.3
"""Spikes per bin of 10 ms and 5 cochlear channels; a quarter of the bins is then not empty."""

_PUBLISHED = "DCLS + SpikingJelly"
_CAUSAL = "DCLS + SpikingJelly, causal"
_PADDED = "dendrix, right-padded"
_PLAIN = "torch"

_PARTS = {"delays": DelayLinear, "BatchNorm": BatchNorm, "neurons": Neuron, "dropout": HeldDropout}
"""Parts of a step that are timed alone; loss, clipping and optimiser are the rest."""


def _network(config: DelayNetConfig, C: int, H: int, K: int) -> DelayNet:
    torch.manual_seed(0)
    model = DelayNet(replace(config, inputs=C, hidden=(H, H), outputs=K))
    for layer in _delay_linears(model):
        layer.width.fill_(_WIDTH)
    return model


def _masks(model: DelayNet, batch: int) -> list[Tensor]:
    """A constant dropout mask for each hidden layer, [B, H], so that all contenders drop the same neurons."""
    generator, p = torch.Generator().manual_seed(3), model.config.dropout
    return [torch.empty(batch, H).bernoulli_(1 - p, generator=generator) / (1 - p) for H in model.config.hidden]


def _data(model: DelayNet, B: int, T: int, padded: bool, clear: bool) -> tuple[Tensor, Tensor]:
    """Spike counts [B, T, C] and labels [B]; with `clear`, the first draw that keeps every membrane away from the threshold.

    The draw is chosen by the membranes of the float64 network in plain torch only, not by the agreement of contenders.
    """
    config = model.config
    for seed in range(1, 1000):
        generator = torch.Generator().manual_seed(seed)
        x = torch.poisson(torch.full((B, T, config.inputs), _MEAN_COUNT), generator)
        if not clear or _clearance(model, x, padded) >= MARGIN:
            return x, torch.randint(config.outputs, (B,), generator=generator)
    raise InputError(
        f"B: expected a batch of which some draw keeps all membranes {MARGIN} from the threshold, got {B} sequences. Use a smaller batch."
    )


@torch.no_grad()
def _clearance(model: DelayNet, x: Tensor, padded: bool) -> float:
    """The least distance of any hidden membrane from the threshold, in float64 and plain torch."""
    exact = _pad(copy.deepcopy(model).double(), padded)
    x, held, nearest = x.double(), iter(_masks(model, len(x))), float("inf")
    with use_kernels("reference"):
        for stage in exact.stages:
            if isinstance(stage, LIF):
                nearest = min(nearest, clearance(stage, x))
            x, _ = stage(x, next(held).double() if isinstance(stage, HeldDropout) else None)
    return nearest


def _delay_linears(model: DelayNet) -> list[DelayLinear]:
    return [layer for layer in model.stages if isinstance(layer, DelayLinear)]


def _pad(model: DelayNet, padded: bool) -> DelayNet:
    for layer in _delay_linears(model):
        layer.padding = "published" if padded else "causal"
    return model


def _optimiser(weights: list[nn.Parameter], delays: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The learning rate of the delays is 100 times that of the weights. Source: released configuration of arXiv 2306.17670."""
    return torch.optim.Adam([{"params": weights, "weight_decay": 1e-5}, {"params": delays, "lr": 0.1}], lr=1e-3)


def _train(outputs: Tensor, time: int, labels: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
    """The published loss on the summed softmax of the read-out, its gradients, and one step of Adam."""
    loss = cross_entropy(outputs.softmax(-1).sum(time), labels)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


def _ours(config: DelayNetConfig, padded: bool = False, mode: Mode = "auto", mixed: bool = False) -> Callable[..., Step]:
    """The step of our network; with `mixed`, for sequences of different lengths."""

    def build(B: int, T: int, C: int, H: int, K: int, clear: int = 0) -> Step:
        model = _pad(_network(config, C, H, K), padded)
        x, labels = _data(model, B, T, padded, bool(clear))
        valid = _mixed(B, T) if mixed else None
        held = iter(_masks(model, B))
        state = tuple(next(held) if isinstance(stage, HeldDropout) else None for stage in model.stages)
        layers = _delay_linears(model)
        delays: list[Any] = [layer.delay for layer in layers]
        weights = [p for p in model.parameters() if not any(p is d for d in delays)]
        optimiser = _optimiser(weights, delays)

        def step() -> Results:
            # As in dendrix's own training loop, which plain torch does not have.
            with use_kernels(mode), fast_products() if mode == "auto" else contextlib.nullcontext():
                loss = _train(model(x, state, valid)[0], 1, labels, optimiser)
            gradients = [(layer.weight.grad, layer.delay.grad) for layer in layers]
            for layer in layers:
                layer.clamp_()
            return _results(loss, gradients)

        return step

    return build


def _alone(config: DelayNetConfig, kind: type[nn.Module]) -> Callable[..., Step]:
    """The stages of one kind alone, forward and backward on their inputs in the network."""

    def build(B: int, T: int, C: int, H: int, K: int, clear: int = 0) -> Step:
        model = _network(config, C, H, K)
        x, _ = _data(model, B, T, False, bool(clear))
        valid = _mixed(B, T)
        work = []
        for stage in model.stages:
            x = x.detach().requires_grad_(stage is not model.stages[0])
            y, _ = stage(x, None, valid)
            if isinstance(stage, kind):
                work.append((stage, x, [p for p in (*stage.parameters(), x) if p.requires_grad], torch.ones_like(y)))
            x = y

        def step() -> Results:
            for stage, x, wanted, g in work:
                torch.autograd.grad(stage(x, None, valid)[0], wanted, g)
            return {}

        return step

    return build


def _mixed(B: int, T: int) -> Tensor:
    """The mask of sequences that are up to a quarter shorter than T."""
    return torch.arange(T) < (T - torch.arange(B) % (T // 4)).unsqueeze(1)


def _results(loss: Tensor, gradients: list[tuple[Any, Any]]) -> Results:
    named = {"loss": loss}
    for number, (weight, delay) in enumerate(gradients, 1):
        named |= {f"grad weight {number}": weight, f"grad delay {number}": delay}
    return named


class _Stack(nn.Module):
    """The published network on [T, B, C] with the weights of our network: Dcls1d, BatchNorm1d, multi-step LIF and dropout, LIF read-out.

    Args:
        ours: source of the weights, delays and sizes.
        masks: the dropout masks, [B, H] each.
        lookahead: steps of padding on the right; the published code uses half the taps.
    """

    def __init__(self, ours: DelayNet, masks: list[Tensor], lookahead: int):
        super().__init__()
        layers = _delay_linears(ours)
        config = ours.config
        tau = 1 / (1 - (config.decay or 0.0))
        self.pad = (layers[0].taps - 1, lookahead)
        self.delays = nn.ModuleList(peers.dcls_layer(d.weight.detach(), d.delay.detach(), _WIDTH, d.taps) for d in layers)
        self.norms = nn.ModuleList(nn.BatchNorm1d(H) for H in config.hidden)
        self.neurons: Any = nn.ModuleList(peers.spikingjelly_lif(tau, config.spike_alpha) for _ in config.hidden)
        self.readout = peers.spikingjelly_lif(tau, config.spike_alpha, v_threshold=1e9)
        self.dropouts = nn.ModuleList(peers.spikingjelly_dropout(config.dropout) for _ in config.hidden)
        for dropout, mask in zip(self.dropouts, masks, strict=True):
            dropout.mask = mask

    def _delay(self, number: int, x: Tensor) -> Tensor:
        y: Tensor = self.delays[number](pad(x.permute(1, 2, 0), self.pad))
        return y.permute(2, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        for number, (norm, neuron, dropout) in enumerate(zip(self.norms, self.neurons, self.dropouts, strict=True)):
            x = self._delay(number, x)
            x = norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            neuron.reset()
            x = dropout(neuron(x))
        self.readout.reset()
        self.readout(self._delay(len(self.norms), x))
        v: Tensor = self.readout.v_seq
        return v


def _stack(padded: bool) -> Callable[..., Step]:
    def build(B: int, T: int, C: int, H: int, K: int, clear: int = 0) -> Step:
        ours = _network(published_shd(), C, H, K)
        x, labels = _data(ours, B, T, padded, bool(clear))
        layers: list[Any]
        model = _Stack(ours, _masks(ours, B), _delay_linears(ours)[0].taps // 2 if padded else 0)
        layers, x = list(model.delays), x.transpose(0, 1)
        positions = [layer.P for layer in layers]
        weights = [p for p in model.parameters() if p.requires_grad and not any(p is q for q in positions)]
        optimiser = _optimiser(weights, positions)

        def step() -> Results:
            loss = _train(model(x), 0, labels, optimiser)
            gradients = [(layer.weight.grad, -layer.P.grad[0]) for layer in layers]
            for layer in layers:
                layer.clamp_parameters()
            return _results(loss, gradients)

        return step

    return build


def speech() -> list[Case]:
    """Steps of the networks for spoken digits and commands, with a delay per synapse or input neuron and clips of different lengths."""
    small, cases = dict(B=8, T=30, C=20, H=32, K=10), []
    networks = (("fsdd", 20.0, dict(B=16, T=32, C=24, H=128, K=10)), ("commands", 10.0, dict(B=64, T=112, C=40, H=256, K=40)))
    for name, dt_ms, size in networks:
        for granularity in ("synaptic", "axonal"):
            config = DelayNetConfig(1, 1, granularity=granularity, dt_ms=dt_ms, dropout=0.2)
            contenders = (
                Contender(_PLAIN, _ours(config, mode="reference", mixed=True)),
                Contender(OURS, _ours(config, mixed=True), _PLAIN),
                *(Contender(f"{part} alone", _alone(config, kind)) for part, kind in _PARTS.items()),
            )
            taps = _delay_linears(_network(config, 1, 1, 1))[0].taps
            about = f"training step of the network for {name}, {granularity} delays: {taps} taps, BatchNorm, LIF, dropout, Adam"
            case = Case(f"train-{name}-{granularity}", about, size, small, contenders, 1e-4, repeats=5)
            cases.append(replace(case, exact={**size, "B": 2, "T": 32, "clear": 1}, coarse={"loss": 1e-3}))
    return cases


def cases() -> list[Case]:
    """The published step, and a causal variant of both libraries, so that each pair computes the same."""
    shd = published_shd()
    contenders = (
        Contender(_PUBLISHED, _stack(padded=True)),
        Contender(OURS, _ours(shd), _CAUSAL),
        Contender(_CAUSAL, _stack(padded=False)),
        Contender(_PADDED, _ours(shd, padded=True), _PUBLISHED),
    )
    about = "training step of the SHD network: 25 taps, BatchNorm, LIF, dropout, Adam"
    size = dict(B=256, T=100, C=140, H=256, K=20)
    case = Case("step-shd", about, size, dict(B=8, T=30, C=20, H=32, K=20), contenders, 1e-4, repeats=2, all_threads=False)
    # Of the 13 million membranes in a batch of 256, a few are so near to the threshold that rounding decides whether they fire, and all
    # later steps differ. Gradients are compared at a size without such membranes, and the loss at full size.
    return [replace(case, exact={**size, "B": 4, "clear": 1}, coarse={"loss": 1e-3})]
