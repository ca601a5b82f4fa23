"""The bench of early exits: its figures come from decisions that agree with the record, and its table shows them."""

from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from dendrix.bench.exits import Subject, speed, table
from dendrix.bench.suite import names
from dendrix.exits import FixedSteps, record_outputs
from dendrix.layers import Sequential
from dendrix.neurons import LIF


def subject() -> Subject:
    model, x = Sequential(nn.Linear(3, 4), LIF(4), nn.Linear(4, 2)).eval(), torch.rand(10, 8, 3)
    return Subject(
        "small", "a small network", model, record_outputs(model, [(x, torch.zeros(10, dtype=torch.int64))]), x, FixedSteps.of(2), 1
    )


def test_the_ideal_is_the_time_over_the_mean_exit_step() -> None:
    found = speed(subject(), batch=4, count=16, repeats=1)
    assert found.ideal == 8 / 2
    # All stop together, so nothing is run in vain in any batching.
    assert found.row_steps == {"wait": 4, "compact": 4, "refill": 4}
    assert all(value > 0 for value in found.speedup.values())
    assert found.runs_on == "compiled loop"
    assert found.agreement == 1


def test_decisions_that_disagree_with_the_record_get_no_number() -> None:
    wrong = subject()
    other = replace(wrong.test, outputs=torch.zeros(10, 6, 2))
    with pytest.raises(RuntimeError, match=r"only 0\.0% agree"):
        speed(replace(wrong, test=other, rule=FixedSteps.of(7)), batch=4, count=16, repeats=1)


def test_the_table_has_speedups_and_their_share_of_the_ideal() -> None:
    found = replace(speed(subject(), 4, 16, 1), threads=1, ideal=4.0, speedup={"wait": 1.0, "compact": 3.0, "refill": 3.8}, never=0.5)
    assert "| small | 4 | 1 | compiled loop | 4.00 | 3.80 | 0.95 | 3.00 | 0.75 | 1.00 | 0.50 |" in table([asdict(found)])
    assert "exits" in names()
