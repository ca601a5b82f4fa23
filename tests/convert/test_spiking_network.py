"""A converted network: what it answers, and what it owes as a layer over time."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.convert import SpikingNetwork, calibrate, convert
from dendrix.core import cat, rows
from dendrix.exits import Margin, decide, record_outputs
from dendrix.exits import run as run_exits
from dendrix.layers import LSQ, QCFS
from support.networks import images, plain, residual

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": plain,
    "residual": residual,
    "two tensors cross the cut": lambda: residual(stem=False),
    "max": lambda: plain(pool=nn.MaxPool2d),
}


@pytest.fixture(params=["if", "signed", "qffs"])
def neuron(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=NETWORKS)
def ann(request: pytest.FixtureRequest) -> nn.Module:
    return NETWORKS[request.param]().double()


@pytest.fixture
def network(ann: nn.Module, neuron: str) -> SpikingNetwork:
    return convert(ann, images().double(), neuron=neuron, max_pool="spiking").network


@pytest.fixture
def currents(network: SpikingNetwork) -> Tensor:
    return network.encode(images().double(), 5)


def test_chunks_and_steps_equal_the_whole(network: SpikingNetwork, currents: Tensor) -> None:
    outputs, last = network(currents)
    parts, state = [], None
    for chunk in currents.split([2, 3], 1):
        part, state = network(chunk, state)
        parts.append(part)
    assert_close(torch.cat(parts, 1), outputs)
    steps, stepped = [], None
    for x_t in currents.unbind(1):
        y_t, stepped = network.step(x_t, stepped)
        steps.append(y_t)
    assert_close(torch.stack(steps, 1), outputs)
    assert_close(dict(state), dict(last))
    assert_close(dict(stepped), dict(last))


def test_rows_are_alone_and_can_be_dropped(network: SpikingNetwork, currents: Tensor) -> None:
    outputs, last = network(currents)
    alone = [network(row.unsqueeze(0)) for row in currents]
    assert_close(torch.cat([y for y, _ in alone]), outputs)
    assert_close(cat([state for _, state in alone]), last)
    _, state = network(currents[:, :2])
    keep = torch.tensor([4, 1])
    assert_close(network(currents[keep, 2:], rows(state, keep))[0], outputs[keep, 2:])


def test_steps_that_are_not_valid_change_nothing(network: SpikingNetwork, currents: Tensor) -> None:
    valid = torch.ones(6, 5, dtype=torch.bool)
    valid[0, [0, 3]] = valid[1] = False
    poisoned = currents.masked_fill(~valid.view(6, 5, *[1] * (currents.dim() - 2)), torch.nan)
    outputs, state = network(poisoned, None, valid)
    assert not outputs[~valid].any()
    expected, expected_state = network(currents[:1, :3])
    assert_close(outputs[:1][valid[:1]], expected[0])
    assert_close(rows(state, torch.tensor([0])), expected_state)
    assert_close(outputs[2:], network(currents[2:])[0])


def test_exits_run_the_network_as_they_judge_its_record(network: SpikingNetwork) -> None:
    contrast = torch.linspace(0.1, 4, 12).view(-1, 1, 1, 1)
    currents = network.encode((contrast * images(12)).double(), 5)
    recorded = record_outputs(network, [currents])
    leads = recorded.outputs.cumsum(1).topk(2, -1).values.diff(dim=-1).abs()
    rule = Margin(1.01 * leads.median().item())  # off any lead: the record is float32
    expected = decide(rule, recorded)
    for batching in ("wait", "compact", "refill"):
        answers = run_exits(network, currents, rule, batching, batch_size=4, block=2)
        assert_close(answers.steps, expected.steps)
        assert_close(answers.answers, expected.answers)
    assert expected.steps.min() < expected.steps.max()


def test_a_long_run_tells_what_the_ann_computes(ann: nn.Module, network: SpikingNetwork) -> None:
    """With as many levels in every QCFS as there are steps, signed spikes leave little but the last of them."""
    steps = 512
    for module in ann.modules():
        if isinstance(module, QCFS):
            module.levels = steps
    x = images().double()
    expected = ann(x)
    network = convert(ann, x, neuron="signed", max_pool="spiking").network
    found = network(network.encode(x, steps))[0].mean(1)
    assert_close(found, expected, rtol=0, atol=0.02 * expected.abs().max().item())


@pytest.mark.parametrize("levels", [1, 2, 4, 7])
def test_one_layer_is_exact_with_as_many_steps_as_levels(levels: int, neuron: str) -> None:
    """A constant input: the mean of the spikes is the activation, whatever the input."""
    ann = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), QCFS(levels, 1.0), nn.Flatten(), nn.Linear(216, 5)).double().eval()
    x = images().double()
    network = convert(ann, x, neuron=neuron).network
    assert_close(network(network.encode(x, levels))[0].mean(1), ann(x))


def test_lsq_converts_to_its_largest_level() -> None:
    ann = nn.Sequential(nn.Conv2d(3, 6, 3), LSQ(2, 0.3), nn.Flatten(), nn.Linear(216, 5)).double().eval()
    x = images().double()
    network = convert(ann, x, neuron="if").network
    assert_close(network(network.encode(x, 3))[0].mean(1), ann(x))


def test_the_prefix_runs_once_and_its_currents_take_no_memory_over_time() -> None:
    network = convert(plain(), images()).network
    calls = []
    network.prefix.register_forward_hook(lambda *_: calls.append(1))
    currents = network.encode(images(), 32)
    assert currents.shape == (6, 32, 6, 8, 8)
    assert currents.stride(1) == 0
    network(currents)
    assert len(calls) == 1


def test_frames_are_encoded_one_by_one() -> None:
    network = convert(plain(), images()).network
    frames = torch.randn(2, 3, 3, 8, 8)
    currents = network.encode(frames, 3)
    assert_close(currents[:, 1], network.encode(frames[:, 1], 1)[:, 0])
    assert not torch.equal(currents[:, 0], currents[:, 1])


def test_a_calibrated_network_converts_as_a_trained_one() -> None:
    ann = plain(nn.ReLU)
    x = images(64)
    expected = ann(x)
    calibrated = calibrate(ann, x.split(16), quantile=1.0)
    network = convert(calibrated, x).network
    found = network(network.encode(x, 256))[0].mean(1)
    assert_close(found, expected, rtol=0, atol=0.05 * expected.abs().max().item())


def test_it_compiles_as_one_graph() -> None:
    network = convert(residual(), images()).network
    currents = network.encode(images(), 3)
    torch._dynamo.reset()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    assert_close(compiled(currents)[0], network(currents)[0])


def test_wrong_input_is_refused() -> None:
    network = convert(plain(), images()).network
    with pytest.raises(ValueError, match="steps: expected a whole number of at least 1, got 0"):
        network.encode(images(), 0)
    with pytest.raises(ValueError, match=r"images: expected \[B, 3, 8, 8\] or \[B, T, 3, 8, 8\], got"):
        network.encode(torch.randn(2, 1, 8, 8), 4)
    with pytest.raises(ValueError, match=r"images: expected \[B, T=4, ...\]"):
        network.encode(torch.randn(2, 3, 3, 8, 8), 4)
    with pytest.raises(TypeError, match="images: expected a floating dtype"):
        network.encode(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 4)
    with pytest.raises(ValueError, match="images: expected finite numbers, got nan"):
        network.encode(torch.full((2, 3, 8, 8), torch.nan), 4)
    with pytest.raises(ValueError, match=r"Make them with encode\(images, steps\)"):
        network(images().unsqueeze(1))
    currents = network.encode(images(), 2)
    with pytest.raises(ValueError, match="state: expected a dict of 3 states by layer"):
        network(currents, {"2": None})
    _, state = network(currents)
    with pytest.raises(ValueError, match="state: expected SignedIFState"):
        network(currents[:2], state)
