"""Audit of early answers against runs of the network."""

import pytest
import torch
from torch import nn

from dendrix.exits import Margin, Monitor, audit, follow, run
from dendrix.layers import Sequential
from dendrix.neurons import LIF


def test_audit_compares_early_and_full_answers() -> None:
    torch.manual_seed(0)
    model = Sequential(nn.Linear(6, 8), LIF(8), nn.Linear(8, 4)).double().eval()
    x = (torch.rand(40, 12, 6, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    rule = Margin(0.01)
    found = list(audit(model, x.unbind(0), rule, Monitor(0.5), share=1.0, batch_size=8))
    early, full = run(model, x, rule), run(model, x, Margin(float("inf")))
    assert [one.answer.answer for one in found] == early.answers.tolist()
    assert [one.full.answer for one in found if one.full is not None] == full.answers.tolist()
    assert [one.full.index for one in found if one.full is not None] == list(range(40))
    assert found[-1].monitor.losses == (early.answers != full.answers).sum()
    some = list(audit(model, x.unbind(0), rule, Monitor(0.5), share=0.3, seed=1))
    audited = [one for one in some if one.full is not None]
    assert 4 < len(audited) < 25
    assert some[-1].monitor.count == len(audited)
    assert [one.full is None for one in audit(model, x.unbind(0), rule, Monitor(0.5), share=0.3, seed=1)] == [
        one.full is None for one in some
    ]
    with pytest.raises(ValueError, match="share: expected"):
        next(audit(model, x.unbind(0), rule, Monitor(0.5), share=0.0))


def test_an_input_goes_on_from_the_state_of_its_exit() -> None:
    torch.manual_seed(0)
    model = Sequential(nn.Linear(6, 8), LIF(8), nn.Linear(8, 4)).double().eval()
    x = (torch.rand(20, 12, 6, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    rule = Margin(0.01)
    early, full = run(model, x, rule), run(model, x, Margin(float("inf")))
    for index, row in enumerate(x):
        calls: list[int] = []
        pieces = (piece for piece in row.split(3) if not calls.append(len(piece)))
        answers = list(follow(model, pieces, rule, to_end=True))
        at_exit = next((one for one in answers if one.stopped), answers[-1])
        assert (at_exit.steps, at_exit.answer) == (early.steps[index], early.answers[index])
        assert (answers[-1].steps, answers[-1].answer) == (12, full.answers[index])
        assert calls == [3] * 4  # every step ran once
