"""Local attention gated by spikes: its definition, what a silent gate costs, and its state."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import leaves
from dendrix.energy import measure
from dendrix.errors import InputError
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt.attention import HEADS, QUERY, LocalAttention, LocalState
from dendrix.train.text.health import SpikeWatch

WIDTH = 8


def attention(window: int = 5, width: int = WIDTH) -> LocalAttention:
    """One whose ages differ and whose gates fire now and then."""
    torch.manual_seed(2)
    made = LocalAttention(width, window).double()
    torch.nn.init.normal_(made.age)
    torch.nn.init.normal_(made.query.weight)
    return made


def definition(layer: LocalAttention, x: Tensor, v: Tensor, gates: Tensor) -> Tensor:
    """One query after the other, over the tokens of its window; those before the first one are zeros."""
    y, heads = torch.zeros_like(v), layer.heads
    q, k = (part(x).unflatten(2, (heads, -1)) for part in (layer.query, layer.key))
    values = v.unflatten(2, (heads, -1))
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            for h in range(heads):
                scores, read = [], []
                for age in range(layer.window):
                    now = t - age
                    key, value = (k[b, now, h], values[b, now, h]) if now >= 0 else (0 * k[b, t, h], 0 * values[b, t, h])
                    scores.append((q[b, t, h] * key).sum() / 4 + layer.age[h, age])
                    read.append(value)
                average = (torch.stack(scores).softmax(0).unsqueeze(1) * torch.stack(read)).sum(0)
                size = len(average)
                y[b, t, h * size : (h + 1) * size] = gates[b, t, h] * average
    return y


@pytest.mark.parametrize("window", [2, 5, 16])
def test_is_the_gated_average_of_a_window(window: int) -> None:
    layer = attention(window)
    x, v = (torch.rand(2, 13, WIDTH) < 0.4).double(), torch.randn(2, 13, WIDTH, dtype=torch.double)
    gates, _ = layer.gate(layer.current(x))
    assert 0 < gates.mean() < 1
    assert_close(layer(x, None, None, v)[0], definition(layer, x, v, gates))


def test_ages_count_valid_tokens_alone() -> None:
    layer, x = attention(), torch.randn(2, 30, WIDTH, dtype=torch.double)
    whole, end = layer(x)
    valid = torch.zeros(2, 50, dtype=torch.bool)
    for row in valid:
        row[torch.randperm(50)[:30]] = True
    spread = torch.full((2, 50, WIDTH), torch.nan, dtype=torch.double).masked_scatter(valid.unsqueeze(2), x)
    y, after = layer(spread, None, valid)
    assert_close(y[valid].view_as(whole), whole)
    assert_close(after, end)
    assert not y[~valid].any()
    _, state = layer(spread[:, :20], None, valid[:, :20])
    assert_close(layer(spread[:, 20:], state, valid[:, 20:])[1], end)


def test_the_state_does_not_grow() -> None:
    layer = attention()
    sizes = {sum(leaf.numel() for leaf in leaves(layer(torch.randn(1, steps, WIDTH, dtype=torch.double))[1])) for steps in (1, 4, 300)}
    assert sizes == {4 * (HEADS * QUERY + WIDTH) + HEADS}


def test_a_silent_gate_is_zero_and_reads_nothing() -> None:
    """What a gate lets through is counted from what came: heads at tokens, times the window."""
    network = SpikeGPT(SpikeGPTConfig(256, width=16, layers=1, spikes="input", dropout=0.0, window=5)).eval()
    local = network.blocks[0].att.local
    tokens, seen = torch.randint(256, (2, 40)), []
    local.register_forward_hook(lambda module, given, y: seen.append(y[0]))
    for bias, least, most in ((-10.0, 0, 0), (1.0, 0.05, 0.6), (10.0, 1, 1)):
        torch.nn.init.constant_(local.current.bias, bias)
        watch = SpikeWatch(network)
        found = measure(network, [tokens])
        rate = watch.health(lambda x: x)["blocks.0.att.local.gate"]["rate"]
        [ring] = [state for state in found.states if state.name.endswith(".local") and not state.neurons]
        assert least <= rate <= most
        assert ring.macs == pytest.approx(rate * 5 * (HEADS * QUERY + 16), rel=1e-6)
        assert bool(seen[-1].any()) is bool(rate)


def test_gates_without_spikes_are_between_zero_and_one() -> None:
    layer = LocalAttention(WIDTH, 3, spiking=False)
    y, state = layer(torch.randn(1, 6, WIDTH))
    assert state.gate == ()
    assert y.abs().min() > 0


@pytest.mark.parametrize(("width", "heads"), [(8, 4), (6, 2), (5, 1)])
def test_heads_divide_the_channels(width: int, heads: int) -> None:
    assert LocalAttention(width, 3).heads == heads == math.gcd(4, width)


def test_the_refusals() -> None:
    layer = attention()
    x = torch.randn(2, 4, WIDTH, dtype=torch.double)
    _, state = layer(x)
    for other in (layer(x[:1])[1], LocalState(state.keys[:, 1:], state.values[:, 1:], state.gate)):
        with pytest.raises(InputError, match=r"state: expected keys and values of shapes \[\[2, 4, 64\], \[2, 4, 8\]\], got .*Pass the"):
            layer(x, other)
    with pytest.raises(InputError, match=r"^v: expected"):
        layer(x, None, None, x[:, 1:])
    with pytest.raises(InputError, match=r"window: expected"):
        LocalAttention(WIDTH, 1)


@pytest.mark.parametrize("spiking", [True, False])
def test_a_state_with_other_gates_is_refused(spiking: bool) -> None:
    layer, other = (LocalAttention(WIDTH, 5, spiking=kind) for kind in (spiking, not spiking))
    x = torch.rand(2, 3, WIDTH)
    wanted, got = ("with", "without") if spiking else ("without", "with")
    with pytest.raises(InputError, match=rf"state: expected one {wanted} spiking gates, got one {got}\. Pass the"):
        layer(x, other(x)[1])
