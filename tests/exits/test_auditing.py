"""Audit of early answers against runs of the network."""

import math
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import nn

from dendrix.core import use_kernels
from dendrix.core.dispatch import Mode
from dendrix.errors import InputError
from dendrix.exits import Answer, Margin, Monitor, audit, follow, run, serve
from dendrix.exits.batching import Batch, Batching
from dendrix.exits.rows import compiled_rows, padded
from dendrix.exits.runner import serve_with_ends
from dendrix.layers import Sequential
from dendrix.neurons import LI, LIF


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


def network() -> Sequential:
    """A network with a compiled loop."""
    torch.manual_seed(0)
    return Sequential(nn.Linear(6, 8), LIF(8), nn.Linear(8, 4)).eval()


def expect_same(found: Answer | None, expected: Answer, exactly: bool) -> None:
    assert found is not None
    assert replace(found, evidence=None) == replace(expected, evidence=None)  # type: ignore[arg-type]
    assert torch.allclose(found.evidence, expected.evidence, rtol=0, atol=0 if exactly else 1e-5)


@pytest.mark.parametrize("kernels", ["auto", "reference"])
@pytest.mark.parametrize("batching", get_args(Batching))
@pytest.mark.parametrize("block", [1, 3, 8])
def test_both_answers_are_those_of_runs_of_their_own(kernels: Mode, batching: Batching, block: int) -> None:
    model, rule = network(), Margin(1.0)
    x = [torch.randn(length, 6, generator=torch.Generator().manual_seed(length)) for length in (12, 1, 5, 11, 3, 9, 2, 7, 13, 14)]
    options: Any = dict(batching=batching, block=block, batch_size=3)
    with use_kernels(kernels):
        early, ends = (list(serve(model, x, one, **options)) for one in (rule, Margin(math.inf)))
        # One of them exits at its last step.
        x[0] = x[0][: early[0].steps]
        ends[0] = next(serve(model, x, Margin(math.inf), **options))
        asked: list[int] = []
        pairs = list(serve_with_ends(model, x, rule, lambda index: not asked.append(index) and index % 3 != 1, **options))
    assert asked == list(range(10))
    assert len({answer.steps for answer in early}) > 3
    for index, (answer, full) in enumerate(pairs):
        expect_same(answer, early[index], exactly=kernels == "auto")
        if index % 3 == 1:
            assert full is None
        else:
            expect_same(full, ends[index], exactly=kernels == "auto")


@pytest.mark.parametrize("compiled", [True, False])
def test_no_step_of_an_audited_input_runs_twice(compiled: bool) -> None:
    model, rule, x = network(), Margin(0.5), torch.randn(9, 12, 6)
    rows, batch = compiled_rows(model, x[0], rule, "sum"), Batch(model, rule, "refill", "sum", 4, 1)
    assert rows is not None

    def even(index: int) -> bool:
        return index % 2 == 0

    parts = list(rows.finished(padded(iter(x), 4), even) if compiled else batch.finished(iter(x), even))
    exits = {index: int(steps) for part in parts if not part.whole for index, steps in zip(part.indices, part.steps, strict=True)}
    assert min(exits.values()) < 12
    ran = rows.row_steps if compiled else batch.row_steps
    idle = ran - sum(12 if even(index) else exits[index] for index in range(9))
    assert idle == 0 if compiled else 0 <= idle <= 12


@pytest.mark.parametrize("kernels", ["auto", "reference"])
def test_what_breaks_after_the_exit_is_named(kernels: Mode) -> None:
    model, x = Sequential(nn.Linear(6, 4), LI(4)).eval(), torch.randn(4, 12, 6)
    x[2, 11] = math.nan
    with use_kernels(kernels):
        assert len(list(serve(model, x, Margin(0.01), block=1))) == 4
        with pytest.raises(InputError, match="input 2 at step 12"):
            list(audit(model, x, Margin(0.01), Monitor(0.5), share=1.0, block=1))


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
