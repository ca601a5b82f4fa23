"""Figures by group and by stopping time."""

from dataclasses import replace

import pytest
import torch

from dendrix.exits import Margin, by_group, by_stopping_time, decide, exit_losses
from support.exit_records import pool

RULE = Margin(3.0)


def test_parts_add_up() -> None:
    record = replace(pool(300), groups=torch.arange(300) % 3, grouped_by="speaker")
    lost, steps = exit_losses(RULE, record), decide(RULE, record).steps
    for parts in (by_group(RULE, record, "accuracy-drop"), by_stopping_time(RULE, record, "accuracy-drop")):
        assert sum(part.count for part in parts) == 300
        assert sum(part.count * part.risk for part in parts) == pytest.approx(lost.sum().item())
        assert sum(part.count * part.mean_steps for part in parts) == pytest.approx(steps.sum().item())
    assert [part.name for part in by_group(RULE, record, "accuracy-drop")] == ["speaker 0", "speaker 1", "speaker 2"]
    times = by_stopping_time(RULE, record, "disagreement")
    assert [part.mean_steps for part in times] == sorted(part.mean_steps for part in times)
    assert 1 < len(times) <= 5


def test_few_inputs_and_no_groups() -> None:
    assert by_group(RULE, pool(10), "disagreement") == ()
    assert [part.count for part in by_stopping_time(RULE, pool(1), "disagreement")] == [1]
