"""Decoding of one token of one or many texts, beside GPT-2 with its cache at equal parameters, and beside a read of all weights.

Trained networks read the text that is shipped with dendrix, others random tokens.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..compiled import compiled
from ..core import use_kernels
from ..errors import InputError
from ..generate import Decoder, Weights
from ..generate.packing import pack_network
from ..models.spikegpt.hf_files import load_language_model, network_of
from ..models.spikegpt.network import SpikeGPT, SpikeGPTConfig, published_216m
from ..models.spikegpt.neurons import SpikeNeurons
from ..samples import find_sample
from .gpt2 import CachedGPT2
from .harness import Timing, interleave

CONTEXTS = (128, 1024, 8192)
_KINDS: tuple[Weights, ...] = ("float32", "bfloat16", "int8")
_MOST = 2 << 30
"""Bytes of the largest cache that is measured."""
_TOLERANCE = 1e-5
_RATES = (0.11, 0.2, 0.3)
_LENGTH = 32
"""Tokens of the text that is read to measure gathers."""
_SETTLING = 8
"""Tokens that are read before each measured one."""
SIZES = {"1M": SpikeGPTConfig(256, width=128, layers=4), "46M": SpikeGPTConfig(5458), "216M": published_216m()}
"""Configurations by number of parameters; 5,458 is the vocabulary of enwik8 characters in SpikingJelly's benchmark of that network."""


@dataclass(frozen=True)
class Speed:
    """One network at one batch size, with one kind of weights, on one thread."""

    size: str
    weights: Weights
    batch: int
    parameters: int
    tokens_per_second: float
    of_bound: float
    """Time of one read of the packed weights over the time of a step, in the same rounds."""
    read_gb_per_second: float
    """Speed of that read."""
    state_bytes: int
    """Bytes of the state of one text."""
    error: float
    """Largest difference of a logit from plain torch with the same rounded weights, over the largest logit."""
    gpt2_parameters: int
    gpt2: dict[int, float]
    """Time of a step of GPT-2 over ours, by its context."""
    gpt2_cache_bytes: dict[int, int]
    """Bytes of one text in the cache of GPT-2, by its context."""
    cost_of_context: float
    """Time of a step after 8,192 tokens over that after 128."""


@dataclass(frozen=True)
class Sparse:
    """A network with spikes as inputs of its products: gathers compared with products over all inputs."""

    size: str
    weights: Weights
    batch: int
    rate: float
    """Measured share of active inputs over all products of the blocks, weighted by their numbers of weights."""
    speedup: float
    """Time of a step over all inputs over that with gathers, while both read a text."""
    dense_of_bound: float
    """Time of one read of the packed weights over that of a step over all inputs."""
    of_bound: float
    """The same for gathers; above 1, a step takes less time than a read of all weights."""


def measured(smoke: bool, say: Callable[[str], None], sizes: Sequence[str] = tuple(SIZES)) -> dict[str, Any]:
    """All speeds of networks of these sizes on one thread, as JSON values; `smoke` measures only the smallest network."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {"speeds": [], "sparse": []}
    for size in list(SIZES)[:1] if smoke else sizes:
        config = SIZES[size]
        states = _states(Decoder(_network(config)))
        for kind in _KINDS:
            decoder = Decoder(_network(config), kind)
            for batch in (1, 16):
                say(f"decode: {size}, {kind}, batch {batch}")
                found["speeds"].append(asdict(_speed(size, decoder, states, batch, 3 if smoke else 9)))
        for kind in _KINDS:
            for rate in _RATES:
                say(f"decode: {size} on spikes, {kind}, rate {rate}")
                model = firing(config, rate)
                found["sparse"] += [asdict(_sparse(size, model, kind, batch, 3 if smoke else 9)) for batch in (1, 16)]
    return found


def measured_runs(runs: Sequence[Path], smoke: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """The part on spikes for trained networks, and for an untrained one of 46M at the same rates, as JSON values.

    Raises:
        FileNotFoundError, InputError: a folder is no run of a SpikeGPT, or its products have no spikes as inputs.
        KernelError: no decoding kernel supports its kind of network.
    """
    torch.set_num_threads(1)
    found: list[Sparse] = []
    opened = [(run, *_opened(run)) for run in runs]
    for run, model, text in opened:
        for size, network, read in ((run.name, model, text), ("46M", None, None)):
            if network is None:
                if smoke:
                    continue
                network, read = firing(SIZES[size], found[-1].rate), None
                size = f"46M, untrained, at the rate of {run.name}"
            for batch in (1, 16):
                say(f"decode: {size}, int8, batch {batch}")
                found.append(_sparse(size, network, "int8", batch, 3 if smoke else 9, read))
    return {"speeds": [], "sparse": [asdict(each) for each in found]}


def _opened(run: Path) -> tuple[SpikeGPT, Tensor]:
    """The network of a run, and the shipped text in its tokens."""
    model, tokenizer = load_language_model(run)
    network = network_of(model).eval()
    if network.config.spikes != "input":
        raise InputError(f'{run}: expected spikes="input", got "{network.config.spikes}", whose products have no spikes as inputs.')
    text = torch.tensor(tokenizer.encode(find_sample("harbour.txt").read_text()).ids)
    return network, text.repeat(-(-16 * _LENGTH // len(text)))  # 16 texts, which word pieces may make too short


def _states(decoder: Decoder) -> dict[int, Tensor]:
    """States of a short and of a long text, by number of tokens."""
    text = torch.randint(decoder.config.vocab_size, (1, max(CONTEXTS)), generator=torch.Generator().manual_seed(3))
    return {length: decoder.prefill(text[:, :length])[1] for length in (min(CONTEXTS), max(CONTEXTS))}


def _speed(size: str, decoder: Decoder, states: dict[int, Tensor], batch: int, repeats: int) -> Speed:
    config = decoder.config
    tokens = torch.randint(config.vocab_size, (batch, 1), generator=torch.Generator().manual_seed(0))
    steps: dict[str, Callable[[], Any]] = {
        f"after {length}": partial(decoder.step, tokens[:, 0], state.expand(batch, -1).contiguous()) for length, state in states.items()
    }
    # "settle" is not reported: it loads the weights into the processor cache again, after GPT-2 in the round before.
    steps = {"settle": steps["after 128"], **steps}
    weights = decoder.packed.weights.view(np.float32)
    steps["read"] = lambda: compiled(read)(weights)
    parameters = sum(parameter.numel() for parameter in SpikeGPT(config).parameters())
    peer = CachedGPT2(config.vocab_size, config.layers, parameters, decoder.weights, batch)
    chosen = [context for context in CONTEXTS if peer.cache_bytes(context) * batch <= _MOST]
    steps |= {f"GPT-2 {context}": peer.step(context) for context in chosen}
    error = _error(decoder, tokens[:, 0], states[128].expand(batch, -1))
    for step in steps.values():
        step()
    times = interleave(steps, repeats, time.thread_time)
    own = times["after 128"]
    return Speed(
        size,
        decoder.weights,
        batch,
        parameters,
        batch / own.median,
        _ratio(times["read"], own),
        weights.nbytes / times["read"].median / 1e9,
        decoder.packed.state_size * 4,
        error,
        peer.parameters,
        {context: _ratio(times[f"GPT-2 {context}"], own) for context in chosen},
        {context: peer.cache_bytes(context) for context in CONTEXTS},
        _ratio(times["after 8192"], own),
    )


def read(x: NDArray[np.float32]) -> np.float32:
    """The sum of all numbers, as a lower bound for a read of the memory."""
    total = np.float32(0)
    for i in range(len(x)):
        total += x[i]
    return total


def _error(decoder: Decoder, tokens: Tensor, state: Tensor) -> float:
    """The error of the logits, which must be below the tolerance."""
    found, _ = decoder.step(tokens, state)
    with use_kernels("reference"):
        expected, _ = decoder.step(tokens, state)
    error = float((found - expected).abs().max() / expected.abs().max())
    if error > _TOLERANCE:
        raise RuntimeError(f"decode: expected the logits of plain torch, got some off by {error:.1e} of the largest. This is a bug.")
    return error


def _sparse(size: str, model: SpikeGPT, kind: Weights, batch: int, repeats: int, text: Tensor | None = None) -> Sparse:
    """Compare gathers with products over all inputs on a text, or on random tokens.

    Every step reads the next token, because the rows of the same active inputs would stay in the processor cache.
    """
    if text is None:
        text = torch.randint(model.config.vocab_size, (16 * _LENGTH,), generator=torch.Generator().manual_seed(1))
    tokens = text[: len(text) // 16 * 16].view(16, -1)[:batch, :_LENGTH]
    gathers, dense = Decoder(model, kind), Decoder(model, kind)
    dense.packed = pack_network(model, kind, gathers=False)
    weights = dense.packed.weights.view(np.float32)
    with use_kernels("required"):
        readers = {"gathers": _Reader(gathers, tokens), "dense": _Reader(dense, tokens)}
    if not torch.equal(readers["gathers"](), readers["dense"]()):
        raise RuntimeError("decode: expected the same logits with and without gathers, got others. This is a bug.")
    steps: dict[str, Callable[[], Any]] = {"read": lambda: compiled(read)(weights)}
    for name, reader in readers.items():
        # "settle" is not reported: after the read of all weights, it fills the processor cache as in a longer text.
        steps |= {f"settle {name}": reader.settle, name: reader}
    for step in steps.values():
        step()
    times = interleave(steps, repeats, time.thread_time)
    of_bound = {name: _ratio(times["read"], times[name]) for name in readers}
    return Sparse(
        size, kind, batch, firing_rate(model, tokens), _ratio(times["dense"], times["gathers"]), of_bound["dense"], of_bound["gathers"]
    )


class _Reader:
    """Reads texts again and again, one token per call, and returns the logits."""

    def __init__(self, decoder: Decoder, tokens: Tensor):
        self.decoder, self.tokens, self.at = decoder, tokens, 0
        _, self.state = decoder.prefill(tokens)

    def __call__(self) -> Tensor:
        logits, self.state = self.decoder.step(self.tokens[:, self.at % _LENGTH], self.state)
        self.at += 1
        return logits

    def settle(self) -> None:
        """Read some tokens."""
        for _ in range(_SETTLING):
            self()


def firing(config: SpikeGPTConfig, rate: float) -> SpikeGPT:
    """Return an untrained network with spikes as inputs whose share of active inputs is near `rate`."""
    tokens = torch.randint(config.vocab_size, (1, 64), generator=torch.Generator().manual_seed(2))
    model, low, high = _network(replace(config, spikes="input")), 0.1, 2.0
    for _ in range(6):
        middle = (low + high) / 2
        model.config = replace(model.config, v_threshold=middle)
        for neurons in (each for each in model.modules() if isinstance(each, SpikeNeurons)):
            neurons.v_threshold = middle
        low, high = (middle, high) if firing_rate(model, tokens) > rate else (low, middle)
    return model


@torch.no_grad()
def firing_rate(model: SpikeGPT, tokens: Tensor) -> float:
    """The share of non-zero inputs of all products of the blocks on texts [B, T], weighted by the number of weights."""
    active, total = 0.0, 0.0

    def count(layer: nn.Linear, inputs: tuple[Tensor, ...]) -> None:
        nonlocal active, total
        active += float((inputs[0] != 0).double().mean()) * layer.weight.numel()
        total += layer.weight.numel()

    handles = [layer.register_forward_pre_hook(count) for layer in model.blocks.modules() if isinstance(layer, nn.Linear)]
    model(tokens)
    for handle in handles:
        handle.remove()
    return active / total


def _network(config: SpikeGPTConfig) -> SpikeGPT:
    """An untrained network with matrices scaled such that its neurons fire."""
    torch.manual_seed(0)
    model = SpikeGPT(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and name != "emb.weight":
                weight.mul_(4 if config.spikes == "output" else 2)
    return model


def _ratio(one: Timing, other: Timing) -> float:
    return one.ratio_to(other)[0]


def table(found: dict[str, Any]) -> str:
    """Section of the report."""
    heads = ["network", "weights", "batch", "tokens/s", "of the read", *(f"GPT-2 at {context:,}" for context in CONTEXTS)]
    heads += ["memory of a text", "GPT-2 at 8,192", "after 8,192 over after 128"]
    about = "Processor time of one thread. *Of the read*: time of one read of the weights over that of a step. GPT-2: its time over ours."
    lines = ["## Decoding", "", about, "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for s in found["speeds"]:
        gpt2 = {int(context): ratio for context, ratio in s["gpt2"].items()}
        cells = [s["size"], s["weights"], s["batch"], f"{s['tokens_per_second']:,.0f}", f"{s['of_bound']:.2f}"]
        cells += [f"{gpt2[context]:.1f}" if context in gpt2 else "" for context in CONTEXTS]
        caches = {int(context): size for context, size in s["gpt2_cache_bytes"].items()}
        cells += [f"{s['state_bytes'] / 1e3:,.0f} kB", f"{caches[8192] / 1e6:,.0f} MB", f"{s['cost_of_context']:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    heads = [
        "network fed by spikes",
        "weights",
        "batch",
        "active inputs",
        "faster than with all inputs",
        "all inputs, of the read",
        "of the read",
    ]
    lines += ["", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for s in found["sparse"]:
        cells = [s["size"], s["weights"], s["batch"], f"{s['rate']:.0%}"]
        cells += [f"{s[name]:.2f}" for name in ("speedup", "dense_of_bound", "of_bound")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"
