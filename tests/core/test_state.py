from typing import NamedTuple

import torch
from torch import Tensor

from dendrix.core import cat, detach, leaves, map_state, rows, select


class Pair(NamedTuple):
    a: Tensor
    b: Tensor


def nested() -> dict[str, object]:
    return {"first": (Pair(torch.arange(3.0), torch.arange(6.0).view(3, 2)), ()), "second": torch.ones(3)}


def test_map_keeps_the_structure() -> None:
    doubled = map_state(lambda s: s * 2, nested())
    assert isinstance(doubled["first"][0], Pair)
    assert doubled["first"][0].a.tolist() == [0, 2, 4]
    assert doubled["first"][1] == ()
    assert doubled["second"].tolist() == [2, 2, 2]


def test_map_over_two_states() -> None:
    total = map_state(torch.add, nested(), nested())
    assert total["first"][0].b.tolist() == [[0, 2], [4, 6], [8, 10]]


def test_leaves_stand_in_order() -> None:
    state = nested()
    assert [leaf.shape for leaf in leaves(state)] == [(3,), (3, 2), (3,)]
    assert leaves(state)[1] is state["first"][0].b
    assert leaves(()) == []


def test_rows_reorder_and_drop() -> None:
    assert rows(nested(), torch.tensor([2, 0]))["first"][0].a.tolist() == [2, 0]
    assert rows(nested(), torch.tensor([False, True, False]))["first"][0].b.tolist() == [[2, 3]]


def test_cat_undoes_rows() -> None:
    parts = [rows(nested(), torch.tensor([i])) for i in range(3)]
    joined = cat(parts)
    assert torch.equal(joined["first"][0].b, nested()["first"][0].b)


def test_select_takes_whole_rows() -> None:
    old = map_state(torch.zeros_like, nested())
    chosen = select(torch.tensor([True, False, True]), nested(), old)
    assert chosen["first"][0].b.tolist() == [[0, 1], [0, 0], [4, 5]]


def test_detach_cuts_the_graph() -> None:
    state = Pair(torch.ones(2, requires_grad=True) * 2, torch.ones(2))
    assert not detach(state).a.requires_grad
    assert state.a.requires_grad
