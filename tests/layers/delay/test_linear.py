"""DelayLinear: its kernel, granularities, masks, streaming, integer delays and errors."""

import itertools

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from dendrix.layers import DelayLinear, delay_conv, delay_kernel, rounded
from dendrix.layers.delay.linear import delay_shift, spread

GRANULARITIES = ["synaptic", "axonal", "dendritic"]
SHAPES = ("gauss", "triangle", "linear")


def layer(granularity: str = "synaptic", taps: int = 7, **options: object) -> DelayLinear:
    return DelayLinear(5, 4, taps * 10.0, 10.0, granularity=granularity, kernel_count=2, **options).double()


def by_hand(x: Tensor, weight: Tensor, delay: Tensor) -> Tensor:
    """Integer delays as a plain loop over synapses."""
    y = x.new_zeros(*x.shape[:2], weight.shape[0])
    for o, i, k in itertools.product(*map(range, weight.shape)):
        d = int(delay.expand_as(weight)[o, i, k])
        y[:, d:, o] += weight[o, i, k] * x[:, : x.shape[1] - d, i]
    return y


@given(
    delay=st.floats(0, 24),
    width=st.floats(-20, 20),
    interpolation=st.sampled_from(SHAPES),
)
def test_a_synapse_spreads_with_mass_one(delay: float, width: float, interpolation: str) -> None:
    q = spread(torch.tensor([delay], dtype=torch.float64), torch.tensor(width, dtype=torch.float64), 25, interpolation)
    assert q.min() >= 0
    assert abs(q.sum() - 1) < 1e-5  # 1e-7 beside a narrow Gaussian between two taps


@given(delay=st.integers(0, 24), interpolation=st.sampled_from(SHAPES))
def test_an_integer_delay_at_width_zero_peaks_at_its_lag(delay: int, interpolation: str) -> None:
    q = spread(torch.tensor([float(delay)]), torch.tensor(0.0), 25, interpolation)
    assert q.argmax() == delay
    if interpolation != "gauss":  # the narrowest Gaussian keeps 0.1 % on each side
        assert (q > 0).sum() == 1


@given(delay=st.floats(0, 24), width=st.floats(1, 20), target=st.integers(0, 24))
def test_the_gradient_moves_a_delay_towards_the_lag_that_is_wanted(delay: float, width: float, target: int) -> None:
    moving = torch.full((1, 1, 1), delay, dtype=torch.float64, requires_grad=True)
    kernel = delay_kernel(torch.ones(1, 1, 1).double(), moving, torch.tensor(width).double(), 25, "gauss").flatten()
    (-kernel[target]).backward()
    # At the border the window cuts the Gaussian off, so it is the mean lag that decides, not the delay.
    distance = target - (kernel.detach() * torch.arange(25)).sum().item()
    if abs(distance) > 1e-3 and kernel[target] > 1e-12:
        assert (moving.grad.item() < 0) == (distance > 0)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("is_rounded", [False, True])
def test_every_granularity_equals_the_dense_kernel(granularity: str, is_rounded: bool) -> None:
    model, x = layer(granularity), torch.randn(3, 11, 5, dtype=torch.float64, requires_grad=True)
    model.rounded = is_rounded
    y, _ = model(x)
    dense = delay_conv(x, model.kernel())
    assert torch.allclose(y, dense, atol=1e-12)
    g, inputs = torch.randn_like(y), [x, model.weight] + [model.delay] * (not is_rounded)
    for ours, theirs in zip(torch.autograd.grad(y, inputs, g), torch.autograd.grad(dense, inputs, g), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_rounded_equals_a_loop_over_synapses(granularity: str) -> None:
    model, x = layer(granularity), torch.randn(2, 9, 5, dtype=torch.float64)
    with torch.no_grad(), rounded(model):
        assert torch.allclose(model(x)[0], by_hand(x, model.weight, model.integer_delay()), atol=1e-12)


def test_ties_round_the_position_half_to_even() -> None:
    model = DelayLinear(3, 1, 70.0, 10.0)  # the centre is 3
    model.delay.data = torch.tensor([[[2.5], [3.5], [4.5]]])  # positions 0.5, -0.5, -1.5
    assert model.integer_delay().flatten().tolist() == [3, 3, 5]
    assert model.integer_delay().dtype == torch.int64
    assert torch.equal(model.integer_delay(torch.int32), model.integer_delay().int())


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("cuts", [(4,), (1, 2, 3), tuple(range(1, 11))])
def test_chunks_equal_the_whole(granularity: str, cuts: tuple[int, ...]) -> None:
    model, x = layer(granularity), torch.randn(2, 11, 5, dtype=torch.float64)
    whole, last = model(x)
    state, parts = None, []
    for chunk in x.tensor_split(cuts, dim=1):
        y, state = model(chunk, state)
        parts.append(y)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-12)
    assert torch.allclose(state, last, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=9, max_size=9), st.sampled_from(GRANULARITIES), st.booleans())
@example([True] * 5 + [False] * 4, "synaptic", True)
@example([False] * 3 + [True] * 6, "dendritic", True)
def test_gaps_do_not_count_as_time(mask: list[bool], granularity: str, with_state: bool) -> None:
    torch.manual_seed(0)
    model, x = layer(granularity), torch.randn(2, 9, 5, dtype=torch.float64)
    _, before = model(torch.randn(2, 8, 5, dtype=torch.float64))
    state = before if with_state else None
    valid = torch.tensor([mask, [True] * 9])
    poisoned = x.clone()
    poisoned[~valid] = torch.nan
    y, after = model(poisoned, state, valid)
    assert torch.equal(y[~valid], torch.zeros_like(y[~valid]))
    for row in range(2):
        kept = valid[row]
        part = None if state is None else state[row : row + 1]
        if kept.any():
            alone, last = model(x[row : row + 1, kept], part)
            assert torch.allclose(y[row, kept], alone[0], atol=1e-12)
            assert torch.allclose(after[row], last[0], atol=1e-12)
        elif part is not None:
            assert torch.equal(after[row], part[0])


def test_the_state_does_not_follow_later_changes_of_the_input() -> None:
    model, x = layer(), torch.randn(1, 11, 5, dtype=torch.float64)
    _, state = model(x)
    before = state.clone()
    x.zero_()
    assert torch.equal(state, before)


def test_no_delay_is_a_linear_layer() -> None:
    model, x = DelayLinear(5, 4, 0.0), torch.randn(2, 6, 5)
    y, state = model(x)
    assert torch.allclose(y, x @ model.weight[:, :, 0].t(), atol=1e-6)
    assert state.shape == (2, 0, 5)
    assert torch.allclose(model(x, state)[0], y)
    assert [name for name, _ in model.named_parameters()] == ["weight"]


def test_fixed_random_delays_are_whole_steps_and_train_only_weights() -> None:
    model = DelayLinear(5, 4, 70.0, 10.0, train_delays=False)
    assert torch.equal(model.delay, model.delay.round())
    assert [name for name, _ in model.named_parameters()] == ["weight"]
    y, _ = model(torch.randn(2, 9, 5))
    y.sum().backward()
    assert model.weight.grad.abs().sum() > 0


def test_published_padding_appends_half_the_taps() -> None:
    torch.manual_seed(0)
    causal = layer()
    published = layer(padding="published")
    published.load_state_dict(causal.state_dict())
    x = torch.randn(2, 9, 5, dtype=torch.float64)
    y, state = published(x)
    assert torch.allclose(y, causal(torch.nn.functional.pad(x, (0, 0, 0, 3)))[0])
    assert state == ()


def test_channels_are_shifted_alone() -> None:
    x = torch.randn(2, 6, 3)
    taps = torch.zeros(3, 2, 4)
    taps[:, 0, 0], taps[:, 1, 3] = 1, 2
    y = delay_shift(x, taps)
    assert torch.allclose(y[..., 0], x)
    assert torch.allclose(y[:, 3:, :, 1], 2 * x[:, :3])
    assert y[:, :3, :, 1].abs().max() == 0


def test_delays_in_ms() -> None:
    model = DelayLinear(5, 4, 70.0, 10.0)
    assert torch.allclose(model.delays_ms(), model.delay * 10)
    with rounded(model):
        assert torch.equal(model.delays_ms() / 10, model.integer_delay())


def test_start_of_the_positions() -> None:
    delay = DelayLinear(200, 100, 250.0, 10.0).delay
    assert delay.min() >= 0
    assert delay.max() == 24
    assert abs((delay == 24).float().mean().item() - 0.04) < 0.01  # U(-13, 12) clamped to -12: as published


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(in_features=0), r"in_features: expected a whole number in \[1, inf\)"),
        (dict(kernel_count=0), r"kernel_count: expected a whole number in \[1, inf\)"),
        (dict(max_delay_ms=-1.0), r"max_delay_ms: expected a number in \[0, inf\)"),
        (dict(max_delay_ms=float("nan")), "got nan"),
        (dict(dt_ms=0.0), r"dt_ms: expected a number in \(0, inf\)"),
        (dict(granularity="axon"), "Did you mean 'axonal'"),
        (dict(interpolation="gaus"), "Did you mean 'gauss'"),
        (dict(padding="publish"), "Did you mean 'published'"),
    ],
)
def test_bad_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DelayLinear(**{"in_features": 5, "out_features": 4, **options})


def test_bad_input() -> None:
    model = DelayLinear(5, 4, 70.0, 10.0)
    x = torch.randn(2, 9, 5)
    with pytest.raises(ValueError, match=r"x: expected \[B, T, C=5\]"):
        model(x.transpose(1, 2))
    with pytest.raises(TypeError, match=r"Use x.float\(\)"):
        model(x.int())
    with pytest.raises(ValueError, match=r"state: expected Tensor of shape \[2, 6, 5\], got Tensor \(\[2, 5, 5\]\)"):
        model(x, torch.zeros(2, 5, 5))
    with pytest.raises(ValueError, match=r"state: expected .* got tuple"):
        model(x, ())
    with pytest.raises(ValueError, match="padding: expected 'causal' for a state or a valid mask, got 'published'"):
        DelayLinear(5, 4, 70.0, 10.0, padding="published")(x, valid=torch.ones(2, 9, dtype=torch.bool))
