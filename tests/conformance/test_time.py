"""What every layer with a state owes its users: time, rows and padding."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import Stateful, cat, map_state, rows
from dendrix.layers import PerStep
from support.states import tensors


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


def test_the_future_does_not_change_the_past(layer: Stateful, x: Tensor) -> None:
    changed = x.clone()
    changed[:, 4:] += 1
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
            assert part.dtype == x.dtype
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


def test_invalid_nan_reaches_nothing(layer: Stateful, x: Tensor, valid: Tensor) -> None:
    poisoned = x.masked_fill(~valid.unsqueeze(-1), torch.nan).requires_grad_()
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


def test_parameters_survive_a_state_dict(build: Callable[..., Stateful], x: Tensor) -> None:
    layer, other = build(), build()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(torch.rand_like(p) / 8)
    other.load_state_dict(layer.state_dict())
    assert_close(other(x)[0], layer(x)[0], rtol=0, atol=0)


def test_wrong_input_is_refused(layer: Stateful, x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \[B, T"):
        layer(x[0, 0])
    with pytest.raises(ValueError, match="is empty"):
        layer(x[:, :0])
    with pytest.raises(ValueError, match="valid: expected"):
        layer(x, None, torch.ones(7, 3, dtype=torch.bool))
    with pytest.raises(TypeError, match="valid: expected dtype"):
        layer(x, None, torch.ones(3, 7))


def test_a_state_of_another_batch_is_refused(layer: Stateful, x: Tensor) -> None:
    _, state = layer(x)
    if not tensors(state):
        return
    for call in (lambda: layer(x[:2], state), lambda: layer.step(x[:2, 0], state)):
        with pytest.raises(ValueError, match=r"state: expected .* Pass"):
            call()


def test_integers_are_refused(layer: Stateful, x: Tensor) -> None:
    if isinstance(layer, PerStep):  # what it takes is for its module to say
        return
    with pytest.raises(TypeError, match="expected a floating dtype"):
        layer(x.long())
