"""The bench of early exits: its figures come from decisions that agree with the record, and its table shows them."""

from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from dendrix.bench import exits_growth
from dendrix.bench.exits import Subject, speed, subjects, table
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
    assert found.row_steps == {"rows": 4}
    assert all(value > 0 for value in (*found.speedup.values(), *found.on_the_clock.values(), *found.per_second.values()))
    assert found.runs_on == "compiled loop"
    assert found.agreement == 1


def test_modules_are_measured_in_place_of_the_compiled_loop() -> None:
    one = subject()
    found = speed(one, batch=4, count=16, repeats=1, modules=True)
    assert found.runs_on == "modules"
    # All stop together, so nothing is run in vain in any batching.
    assert found.row_steps == {"wait": 4, "compact": 4, "refill": 4}
    assert not one.model._forward_hooks


def test_decisions_that_disagree_with_the_record_get_no_number() -> None:
    wrong = subject()
    other = replace(wrong.test, outputs=torch.zeros(10, 6, 2))
    with pytest.raises(RuntimeError, match=r"only 0\.0% agree"):
        speed(replace(wrong, test=other, rule=FixedSteps.of(7)), batch=4, count=16, repeats=1)


def test_the_table_has_speedups_and_their_share_of_the_ideal() -> None:
    rates = dict(speedup={"rows": 3.8}, never=0.5, per_second={"one call": 1000.0, "rows": 3800.0})
    found = replace(speed(subject(), 4, 16, 1), threads=1, ideal=4.0, **rates)
    assert "| small | 4 | 1 | compiled loop | 4.00 | 3.80 | 0.95 |  | 0.50 | 0.47 | 1,000 | 3,800 |" in table([asdict(found)])
    by_modules = replace(found, runs_on="modules", speedup={"refill": 3.8, "compact": 3.0}, per_second={"one call": 1.0, "refill": 3.8})
    assert "| modules | 4.00 | 3.80 | 0.95 | 0.75 |" in table([asdict(by_modules)])
    assert {"exits", "exits-cifar10"} < set(names())


def test_one_network_can_be_named() -> None:
    assert [found.name for found in subjects(("convolutions", "fsdd"), smoke=True)] == ["convolutions"]


def test_growth_of_the_cost_of_stepping() -> None:
    points = exits_growth.measured(smoke=True, say=lambda _: None)
    assert [point["steps"] for point in points] == [2, 3]
    assert all(0 < point["spikes"] < 1 and point["loop"] > 0 and point["modules"] > 0 for point in points)
    assert "| steps | VGG x 0.5 | 3 | 1 |" in exits_growth.table(points)
