"""Integer image networks over time, and compiled loops that equal the numpy reference to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.core import use_kernels
from dendrix.deploy import IntegerImageNetwork, quantise
from dendrix.deploy.image_bounds import bound_images
from dendrix.errors import InputError
from support.integer_images import STEPS, converted, images, pixels, random_images_network


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), extreme=st.booleans())
def test_compiled_equals_reference_on_random_networks(seed: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    net = random_images_network(rng, extreme)
    bytes_ = np.stack(pixels(rng, net, 3)).reshape(3, *net.image)
    valid = rng.random((3, STEPS)) < 0.8
    currents = net.currents(bytes_)
    y, state, _ = net.run(currents[:, None], STEPS, None, valid)
    with use_kernels("reference"):
        assert np.array_equal(net.currents(bytes_), currents)
        expected, after, _ = net.run(currents[:, None], STEPS, None, valid)
    assert np.array_equal(y, expected)
    assert torch.equal(state.memory, after.memory)
    assert torch.equal(state.steps, after.steps)


@pytest.mark.parametrize("kind", ["vgg", "resnet"])
def test_numbers_stay_within_their_bounds(kind: str) -> None:
    net = quantise(converted(kind))
    _, state = net(net.encode(images(), STEPS))
    bounds = bound_images(net.stages(), net.centre, STEPS)
    for stage, bound, row in zip(net.stages(), bounds, net.plan.stages.tolist(), strict=True):
        if stage.form.fires:
            assert 0 < int(state.memory[:, row[9] : row[9] + stage.form.size].abs().max()) <= bound.membrane
    assert all(bound.proven for bound in bound_images(net.stages(), net.centre, net.longest))


def test_in_chunks_and_in_steps_equals_whole() -> None:
    net = quantise(converted("vgg"))
    x = net.encode(images(3))
    whole, last = net(x)
    state, parts = None, []
    for piece in torch.split(x, [1, 5, 3], 1):
        y, state = net(piece, state)
        parts.append(y)
    assert torch.equal(torch.cat(parts, 1), whole)
    assert torch.equal(state.memory, last.memory)
    state, parts = None, []
    for x_t in x.unbind(1):
        y, state = net.step(x_t, state)
        parts.append(y)
    assert torch.equal(torch.stack(parts, 1), whole)
    assert whole.abs().sum() > 0


@pytest.mark.parametrize("mode", ["auto", "reference"])
def test_invalid_steps_change_nothing_and_rows_are_alone(mode: str) -> None:
    net = quantise(converted("plain"))
    x, valid = net.encode(images(3)), torch.rand(3, STEPS, generator=torch.Generator().manual_seed(0)) < 0.6
    broken = x.masked_fill(~valid[..., None, None, None], torch.nan)
    with use_kernels(mode):
        y, state = net(broken, None, valid)
        for row in range(3):
            alone, last = net(x[row : row + 1, valid[row]])
            assert torch.equal(y[row, valid[row]], alone[0])
            assert torch.equal(state.memory[row], last.memory[0])
    assert not y[~valid].any()


def test_inputs_are_not_changed() -> None:
    net = quantise(converted("vgg"))
    x = net.encode(images(2))
    _, state = net(x)
    before = [part.clone() for part in (x, *state)]
    net(x, state)
    assert all(torch.equal(part, was) for part, was in zip((x, *state), before, strict=True))


def test_more_steps_than_were_proved_are_refused() -> None:
    net = quantise(converted("vgg"))
    with pytest.raises(InputError, match=f"at most {net.longest} steps"):
        net(net.encode(images(1), net.longest + 1))
    _, state = net(net.encode(images(1), net.longest))
    with pytest.raises(InputError, match=f"got {net.longest + 1}"):
        net(net.encode(images(1), 1), state)


def test_wrong_inputs_are_refused() -> None:
    net = quantise(converted("vgg"))
    with pytest.raises(InputError, match="images: expected"):
        net.encode(images(2)[:, :, :5])
    with pytest.raises(InputError, match="state: expected ImageState"):
        net(net.encode(images(2)), (1, 2))
    with pytest.raises(InputError, match="state: expected ImageState of shape"):
        net(net.encode(images(2)), net.init_state(3))


def test_it_is_created_again_from_its_arguments() -> None:
    net = quantise(converted("resnet"))
    other = IntegerImageNetwork(**net.arguments())
    other.load_state_dict(net.state_dict())
    x = net.encode(images(2))
    assert torch.equal(other(x)[0], net(x)[0])
    assert other.forms == net.forms


def test_operations_are_counted() -> None:
    net = quantise(converted("plain"))
    outputs, _, operations = net.run(net.currents(net.bytes_of(images(2)))[:, None], 1)
    first = net.stages()[0]
    spikes = _first_spikes(net)
    assert operations[0] == 0  # the first stage is computed once per image
    assert operations[1] == sum(_taps(row, column, first.form.shape) * int(spikes[:, row, column].sum()) for row, column in _places(first))
    assert outputs.shape == (2, 1, 5)


def _first_spikes(net: IntegerImageNetwork) -> np.ndarray:
    stage = net.stages()[0]
    return (net.currents(net.bytes_of(images(2))) + stage.start >= stage.threshold).astype(int)


def _places(stage: object) -> list[tuple[int, int]]:
    height, width, _ = stage.form.shape  # type: ignore[attr-defined]
    return [(row, column) for row in range(height) for column in range(width)]


def _taps(row: int, column: int, shape: tuple[int, int, int]) -> int:
    """Outputs that a 3 x 3 convolution with padding reaches."""
    return int(np.prod([3 - (place == 0) - (place == size - 1) for place, size in zip((row, column), shape[:2], strict=True)]))


def test_a_limit_holds() -> None:
    net = quantise(converted("vgg", neuron="qffs"))
    assert all(stage.form.limit == 4 for stage in net.stages() if stage.form.kind == "signed")
    free = [replace(stage, form=replace(stage.form, limit=0)) for stage in net.stages()]
    settings_ = net.arguments() | {"stages": [stage.form for stage in free]}
    other = IntegerImageNetwork(**settings_)
    other.load_state_dict(net.state_dict())
    x = net.encode(images(4), 12)
    assert not torch.equal(net(x)[0], other(x)[0])
