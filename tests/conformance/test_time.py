"""Properties of every layer with a state: time, rows and padding; and that layers without them are caught."""

import contextlib
import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import State, Stateful, cat, map_state, rows, zero_invalid
from support.layers import EXAMPLES, Example
from support.states import tensors

FLOATING = [name for name, example in EXAMPLES.items() if not example.tokens]


def test_steps_equal_forward(layer: Stateful, x: Tensor) -> None:
    y, last = layer(x)
    state, outputs = None, []
    for x_t in x.unbind(1):
        y_t, state = layer.step(x_t, state)
        outputs.append(y_t)
    assert_close(torch.stack(outputs, 1), y)
    assert_close(tensors(state), tensors(last))


def test_chunks_equal_the_whole(layer: Stateful, x: Tensor) -> None:
    y, last = layer(x)
    state, outputs = None, []
    for chunk in x.split([3, 1, 3], dim=1):
        part, state = layer(chunk, state)
        outputs.append(part)
    assert_close(torch.cat(outputs, 1), y)
    assert_close(tensors(state), tensors(last))


def test_the_future_does_not_change_the_past(layer: Stateful, example: Example, x: Tensor) -> None:
    changed = torch.cat([x[:, :4], example.changed(x[:, 4:])], 1)
    assert_close(layer(changed)[0][:, :4], layer(x)[0][:, :4])


def test_rows_are_independent(layer: Stateful, x: Tensor) -> None:
    y, state = layer(x)
    alone = [layer(row.unsqueeze(0)) for row in x]
    assert_close(torch.cat([y_b for y_b, _ in alone]), y)
    assert_close(tensors(cat([s for _, s in alone])), tensors(state))


def test_finished_rows_can_be_dropped(layer: Stateful, x: Tensor) -> None:
    y, _ = layer(x)
    _, state = layer(x[:, :4])
    keep = torch.tensor([2, 0])
    assert_close(layer(x[keep, 4:], rows(state, keep))[0], y[keep, 4:])


def test_one_step_is_a_sequence(layer: Stateful, x: Tensor) -> None:
    y, _ = layer(x[:, :1])
    assert_close(y, layer(x)[0][:, :1])


def test_state_is_like_the_input(layer: Stateful, x: Tensor) -> None:
    for chunk in (x, x[:, :1]):
        for part in tensors(layer(chunk)[1]):
            assert part.shape[0] == x.shape[0]
            assert part.dtype == (torch.float64 if part.is_floating_point() else torch.int64)  # tokens
            assert part.device == x.device


def test_valid_steps_equal_the_sequence_without_gaps(layer: Stateful, x: Tensor, valid: Tensor) -> None:
    y, state = layer(x, None, valid)
    assert not y[~valid].any()
    for b in range(len(x)):
        y_b, state_b = layer(x[b, valid[b]].unsqueeze(0))
        assert_close(y[b, valid[b]], y_b.squeeze(0))
        assert_close(tensors(rows(state, torch.tensor([b]))), tensors(state_b))


def test_a_row_without_valid_steps_keeps_its_state(layer: Stateful, x: Tensor) -> None:
    _, before = layer(x)
    y, after = layer(x, before, torch.zeros(x.shape[:2], dtype=torch.bool))
    assert not y.any()
    assert_close(tensors(after), tensors(before), rtol=0, atol=0)


def test_what_stands_at_invalid_steps_does_not_matter(layer: Stateful, example: Example, x: Tensor, valid: Tensor) -> None:
    keep = valid.view(3, 7, *[1] * (x.dim() - 2))
    y, state = layer(x, None, valid)
    changed, after = layer(torch.where(keep, x, example.changed(x)), None, valid)
    assert_close(changed, y, rtol=0, atol=0)
    assert_close(tensors(after), tensors(state), rtol=0, atol=0)


@pytest.mark.parametrize("example", FLOATING, indirect=True)
def test_invalid_nan_reaches_nothing(layer: Stateful, x: Tensor, valid: Tensor) -> None:
    keep = valid.view(3, 7, *[1] * (x.dim() - 2))
    poisoned = x.masked_fill(~keep, torch.nan).requires_grad_()
    y, state = layer(poisoned, None, valid)
    assert_close(y, layer(x, None, valid)[0])
    (y.sum() + sum(part.sum() for part in tensors(state))).backward()
    assert not poisoned.grad[~valid].any()
    for tensor in [poisoned.grad, *[p.grad for p in layer.parameters() if p.grad is not None]]:
        assert tensor.isfinite().all()


def test_inputs_are_not_changed(layer: Stateful, x: Tensor, valid: Tensor) -> None:
    _, state = layer(x)
    before = [x.clone(), valid.clone(), *tensors(map_state(torch.clone, state))]
    layer(x, state, valid)
    layer.step(x[:, 0], state)
    assert_close([x, valid, *tensors(state)], before, rtol=0, atol=0)


def test_parameters_survive_a_state_dict(build: Callable[[], Stateful], x: Tensor) -> None:
    layer, other = build(), build()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(torch.rand_like(p) / 8)
    other.load_state_dict(layer.state_dict())
    assert_close(other(x)[0], layer(x)[0], rtol=0, atol=0)


def test_wrong_input_is_refused(layer: Stateful, x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \[B, T"):
        layer(x.flatten()[:3])
    with pytest.raises(ValueError, match="is empty"):
        layer(x[:, :0])
    with pytest.raises(ValueError, match="valid: expected"):
        layer(x, None, torch.ones(7, 3, dtype=torch.bool))
    with pytest.raises(TypeError, match="valid: expected dtype"):
        layer(x, None, torch.ones(3, 7))


def test_a_state_of_another_batch_is_refused(layer: Stateful, x: Tensor) -> None:
    _, state = layer(x)
    refused = pytest.raises(ValueError, match=r"state: expected .* Pass") if tensors(state) else contextlib.nullcontext()
    for call in (lambda: layer(x[:2], state), lambda: layer.step(x[:2, 0], state)):
        with refused:
            call()


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name != "PerStep"], indirect=True)  # its module says what it takes
def test_a_wrong_dtype_is_refused(layer: Stateful, example: Example, x: Tensor) -> None:
    wrong, expected = (x.float(), "expected int64") if example.tokens else (x.long(), "expected a floating dtype")
    with pytest.raises(TypeError, match=expected):
        layer(wrong)


class Culprit(Stateful):
    """A layer that breaks one promise, [B, T, C] -> [B, T, C]."""

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        x = zero_invalid(x, valid)
        y, state = self.broken(x, state)
        return zero_invalid(y, valid), state

    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """What it does with x."""
        raise NotImplementedError


class HidesState(Culprit):
    total: Tensor | float = 0.0

    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y = x.cumsum(1) + self.total
        self.total = y[:, -1:].detach()
        return y, state


class ForgetsState(Culprit):
    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return x.cumsum(1), x.sum(1)


class LooksAhead(Culprit):
    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return x + x.roll(-1, 1), ()


class MixesRows(Culprit):
    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return x - x.mean(0), ()


class SharesState(Culprit):
    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return x, x.sum((0, 1))


class CountsInvalidSteps(Culprit):
    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y = torch.arange(x.shape[1]).view(1, -1, 1) + x + (0 if state is None else state.unsqueeze(1))
        return y, y[:, -1] - x[:, -1] + 1


class WritesToItsInput(Culprit):
    def broken(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return x, torch.zeros_like(x[:, 0]) if state is None else state.add_(x[:, -1])


class LeaksNaN(Stateful):
    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        return x if valid is None else x * valid.unsqueeze(2), ()


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        (HidesState, test_steps_equal_forward),
        (HidesState, test_chunks_equal_the_whole),
        (ForgetsState, test_steps_equal_forward),
        (ForgetsState, test_chunks_equal_the_whole),
        (ForgetsState, test_finished_rows_can_be_dropped),
        (LooksAhead, test_the_future_does_not_change_the_past),
        (LooksAhead, test_one_step_is_a_sequence),
        (MixesRows, test_rows_are_independent),
        (SharesState, test_state_is_like_the_input),
        (CountsInvalidSteps, test_valid_steps_equal_the_sequence_without_gaps),
        (CountsInvalidSteps, test_a_row_without_valid_steps_keeps_its_state),
        (WritesToItsInput, test_inputs_are_not_changed),
        (LeaksNaN, test_invalid_nan_reaches_nothing),
        (LeaksNaN, test_wrong_input_is_refused),
        (LeaksNaN, test_a_wrong_dtype_is_refused),
        (SharesState, test_a_state_of_another_batch_is_refused),
    ],
)
def test_what_breaks_a_promise_is_caught(kind: type[Stateful], holds: Callable[..., None]) -> None:
    broken = Example(kind, kind)
    keep = torch.ones(3, 7, dtype=torch.bool)
    keep[1, [0, 2, 3, 6]] = False
    given = dict(layer=kind(), example=broken, x=broken.input(3, 7), valid=keep)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        holds(**{name: given[name] for name in inspect.signature(holds).parameters})
