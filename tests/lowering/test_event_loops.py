"""The loop over events equals the modules for random networks, in every way of giving it its inputs."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dendrix.deploy import Spikes, StreamingNetwork
from dendrix.errors import InputError
from dendrix.layers import DelayLinear, Recurrent, RecurrentDelay, Sequential, SparseLinear, freeze
from dendrix.lowering.event_runs import EventLoop
from dendrix.lowering.event_tables import event_tables
from dendrix.lowering.layers import Synapses, lower
from dendrix.lowering.sparse import SparseLayer, SparseSynapses
from dendrix.neurons import IF, LI, LIF, AdLIF, CubaLIF
from support.integer_networks import NEURONS, network

HIDDEN = {
    "LIF": lambda n: LIF(n, 20.0, 10.0, v_reset=0.0),
    "IF": lambda n: IF(n, v_init=0.3),
    "CubaLIF": lambda n: CubaLIF(n, 10.0, 20.0, 10.0),
    "AdLIF": lambda n: AdLIF(n, 20.0, 60.0, 10.0, v_threshold=0.4),
    "Recurrent": lambda n: Recurrent(LIF(n, 20.0, 10.0), nn.Linear(n, n)),
    "RecurrentDelay": lambda n: RecurrentDelay(LIF(n, 20.0, 10.0), 50, 10, start_ms=20),
}


def synapses(kind: str, inputs: int, outputs: int, taps: int) -> nn.Module:
    if kind == "linear":
        return nn.Linear(inputs, outputs)
    if kind == "sparse":
        return SparseLinear(inputs, outputs, 0.6)
    granularity, _, count = kind.partition(" ")
    layer = DelayLinear(inputs, outputs, taps * 10.0, 10.0, granularity=granularity, kernel_count=int(count or 1), train_delays=False)
    with torch.no_grad():
        layer.weight[torch.rand_like(layer.weight) < 0.3] = 0  # pruned
    return layer


def events_of(x: Tensor) -> Spikes:
    step, channel = (part.numpy() for part in x.nonzero(as_tuple=True))
    return Spikes(step, channel, x.numpy()[step, channel])


def settled(net: Sequential, x: Tensor, valid: Tensor) -> Tensor:
    """Rows [B] for which float64 gives the spikes of float32: no membrane met its threshold to the last digits."""
    inexact, exact = net(x, None, valid)[0], freeze(net).double()(x.double(), None, valid)[0]
    return (inexact - exact).abs().amax((1, 2)) < 1e-3 * exact.std().clamp_min(1e-6)


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_equals_the_modules_for_random_networks(data: st.DataObject) -> None:
    torch.manual_seed(data.draw(st.integers(0, 2**16)))
    kinds = st.sampled_from(("linear", "sparse", "synaptic", "synaptic 2", "axonal", "axonal 2", "dendritic"))
    inputs, batch, steps = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 10)), data.draw(st.integers(1, 40))
    rate = data.draw(st.sampled_from((0.0, 0.02, 0.3, 1.0)))
    parts: list[nn.Module] = []
    before = inputs
    for _ in range(data.draw(st.integers(0, 2))):
        size = data.draw(st.integers(1, 200))
        parts += [
            synapses(data.draw(kinds), before, size, data.draw(st.integers(0, 8))),
            HIDDEN[data.draw(st.sampled_from(list(HIDDEN)))](size),
        ]
        before = size
    parts += [synapses(data.draw(kinds), before, 3, 4), LI(3, 20.0, 10.0)]
    net = freeze(Sequential(*parts).eval())
    x = (torch.rand(batch, steps, inputs) < rate).float()
    if data.draw(st.booleans()):
        x *= torch.randint(1, 4, x.shape)
    lengths = torch.randint(0, steps + 1, (batch,))
    lengths[0] = steps
    valid = torch.arange(steps) < lengths[:, None]
    fast = StreamingNetwork(net)
    found, state = fast(x, None, valid)
    expected = net(x, None, valid)[0]
    sure = settled(net, x, valid)
    assert torch.allclose(found[sure], expected[sure], atol=1e-4, rtol=1e-4)
    # Events, chunks and single rows take another way to the same digits.
    rows = [events_of(row[:length]) for row, length in zip(x, lengths.tolist(), strict=True)]
    same, after = fast.forward_events(rows, lengths.tolist())
    assert torch.equal(same, found[:, : same.shape[1]])
    assert torch.equal(after.memory, state.memory)
    assert torch.equal(after.steps, lengths)
    alone = fast(x[:1], None, valid[:1])[0]
    assert torch.equal(alone, found[:1])
    if steps == 1:
        return
    cut = data.draw(st.integers(1, steps - 1))
    first, halfway = fast(x[:, :cut], None, valid[:, :cut])
    second, end = fast(x[:, cut:], halfway, valid[:, cut:])
    assert torch.equal(torch.cat([first, second], 1), found)
    assert torch.equal(end.memory, state.memory)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 2, 9])
def test_threads_change_nothing(threads: int, batch: int) -> None:
    torch.manual_seed(0)
    net = StreamingNetwork(freeze(Sequential(DelayLinear(30, 300, 50.0, 10.0), LIF(300, 20.0, 10.0), DelayLinear(300, 3), LI(3)).eval()))
    x = (torch.rand(batch, 200, 30) < 0.1).float()  # longer than a chunk
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected, state = net(x)
        torch.set_num_threads(threads)
        found, same = net(x)
        listed, _ = net.forward_events([events_of(row) for row in x], 200)
    finally:
        torch.set_num_threads(before)
    assert expected.abs().max() > 0
    assert torch.equal(found, expected)
    assert torch.equal(listed, expected)
    assert torch.equal(same.memory, state.memory)


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("width", [1, 5, 64])
def test_blocks_of_any_width_give_the_same(kind: str, width: int) -> None:
    net, x = network(kind), (torch.rand(3, 20, 6) < 0.3).float()
    fast = StreamingNetwork(net)
    expected, _ = fast(x)
    fast._loop = EventLoop(event_tables(lower(net), width))
    assert torch.equal(fast(x)[0], expected)


def test_sparse_layers_equal_dense_ones() -> None:
    rng = np.random.default_rng(0)
    net = network("Recurrent", inputs=40, hidden=50)
    dense = lower(net)
    layers = [
        SparseLayer(_sparse(layer.synapses, rng), layer.bias, layer.neurons, layer.feedback and _sparse(layer.feedback, rng))
        for layer in dense
    ]
    x = (torch.rand(3, 30, 40) < 0.2).float()
    expected, found = StreamingNetwork(dense)(x)[0], StreamingNetwork(layers)(x)[0]
    assert torch.allclose(found, expected, atol=1e-5)


def _sparse(synapses: Synapses, rng: np.random.Generator) -> SparseSynapses:
    """The same synapses listed by input, those of an input in random order."""
    outputs, inputs, count = synapses.weight.shape
    order = np.concatenate([i * outputs * count + rng.permutation(outputs * count) for i in range(inputs)])
    weight, delay, target = (
        np.broadcast_to(part, synapses.weight.shape).transpose(1, 0, 2).reshape(-1)[order]
        for part in (synapses.weight, synapses.delay, np.arange(outputs)[:, None, None])
    )
    return SparseSynapses(np.arange(inputs + 1) * outputs * count, target, weight, delay, synapses.taps)


def test_several_events_at_one_place_add_up() -> None:
    net = StreamingNetwork(network())
    once, _ = net.forward_events([Spikes([2], [1], [3.0])], 5)
    thrice, _ = net.forward_events([Spikes([2, 2, 2], [1, 1, 1])], 5)
    assert torch.allclose(once, thrice, atol=1e-6)


def test_no_events() -> None:
    net = StreamingNetwork(network())
    assert torch.equal(net.forward_events([Spikes([], [])], 7)[0], net(torch.zeros(1, 7, 6))[0])
    unequal, _ = net.forward_events([Spikes([], []), Spikes([], [])], [0, 3])
    assert not unequal[0].any()


@pytest.mark.parametrize(
    ("row", "steps", "told"),
    [
        (Spikes([1, 0], [0, 0]), 3, "in the order of their steps"),
        (Spikes([3], [0]), 3, "expected steps as whole numbers of 0 to 2"),
        (Spikes([-1], [0]), 3, "expected steps"),
        (Spikes([0], [6]), 3, "expected channels as whole numbers of 0 to 5"),
        (Spikes([0.5], [0]), 3, "expected steps"),
        (Spikes([0], [0, 1]), 3, "as many steps as channels"),
        (Spikes([0], [0], [float("nan")]), 3, "expected finite values"),
        (Spikes([0], [0], [True, False]), 3, "as many steps as channels"),
        (Spikes([0], [0], [1e39]), 3, "expected finite values"),
        (Spikes([0], [0], [1j]), 3, "expected real numbers as values, got complex128"),
        (Spikes(["a"], [0]), 3, "expected steps as whole numbers"),
        (Spikes(None, [0]), 3, "as many steps as channels"),
        (([0], [0]), 3, "rows: expected a list of Spikes"),
        (Spikes([0], [0]), [1, 2], "lengths: expected a whole number of steps"),
        (Spikes([0], [0]), [[3]], "lengths: expected a whole number of steps"),
        (Spikes([0], [0]), 2.5, "lengths: expected a whole number of steps"),
        (Spikes([0], [0]), "3", "lengths: expected a whole number of steps"),
        (Spikes([0], [0]), None, "lengths: expected a whole number of steps"),
        (Spikes([0], [0]), 10**12, "lengths: expected a whole number of steps"),
        (Spikes([], []), -1, "lengths: expected"),
        (Spikes([], []), 0, "at least 1 for the longest"),
    ],
)
def test_events_are_checked(row: Spikes, steps: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        StreamingNetwork(network()).forward_events([row], steps)


def test_rows_are_a_list_and_lengths_may_be_tensors() -> None:
    net, row = StreamingNetwork(network()), Spikes([0], [1], torch.ones(1, requires_grad=True))
    for rows in (row, torch.zeros(1, 3, 6), None):
        with pytest.raises(InputError, match="rows: expected a list of Spikes"):
            net.forward_events(rows, 3)
    expected, _ = net.forward_events([row, row], 3)
    for lengths in (torch.tensor(3), torch.tensor([3, 3]), np.int64(3)):
        assert torch.equal(net.forward_events([row, row], lengths)[0], expected)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"target": np.array([0, 2])}, "target: expected 2 whole numbers of 0 to 1"),
        ({"delay": np.array([3, 0])}, "delay: expected 2 whole numbers of 0 to 2"),
        ({"target": np.array([0])}, "target: expected 2"),
        ({"starts": np.array([0, 2, 1])}, "starts: expected"),
        ({"starts": np.array([0, 1, 2, 2])}, "layer 1: expected synapses of the 2 neurons before"),
    ],
)
def test_sparse_synapses_are_checked(changed: dict, told: str) -> None:
    first = lower(Sequential(nn.Linear(1, 2), LIF(2, 20.0, 10.0), nn.Linear(2, 2)).eval())[0]
    fine = dict(starts=np.array([0, 1, 2]), target=np.array([0, 1]), weight=np.ones(2), delay=np.array([2, 0]), taps=3)
    event_tables([first, SparseLayer(SparseSynapses(**fine), np.zeros(2), first.neurons)])
    with pytest.raises(InputError, match=told):
        event_tables([first, SparseLayer(SparseSynapses(**(fine | changed)), np.zeros(2), first.neurons)])
