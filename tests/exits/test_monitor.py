"""The monitor: its evidence by hand, false alarms over all time, delays, and its file."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.exits import Monitor
from dendrix.exits.fitting.guarantee import binomial_tails
from dendrix.exits.monitor import RATIOS


def evidence(losses: list[float], eps: float) -> float:
    """Sum over the risks and starts of the weighted products, as the docstring states it."""
    count = len(losses)
    total = 1 / (count + 1)
    for start in range(1, count + 1):
        for ratio in RATIOS:
            bet = (min(ratio * eps, (1 + eps) / 2) - eps) / (eps * (1 - eps))
            total += np.prod([1 + bet * (loss - eps) for loss in losses[start - 1 :]]) / (start * (start + 1)) / len(RATIOS)
    return float(total)


@given(losses=st.lists(st.floats(0, 1), max_size=12), eps=st.floats(0.01, 0.6))
@settings(max_examples=50, deadline=None)
def test_evidence_is_the_mixture(losses: list[float], eps: float) -> None:
    found = Monitor(eps).observe(losses)
    assert found.evidence == pytest.approx(evidence(losses, eps))
    assert (found.count, found.losses) == (len(losses), pytest.approx(sum(losses)))


@given(eps=st.floats(0.01, 0.9), losses=st.lists(st.booleans(), max_size=6))
@settings(max_examples=50, deadline=None)
def test_evidence_does_not_grow_in_the_mean(eps: float, losses: list[bool]) -> None:
    before = Monitor(eps).observe(losses)
    mean = eps * before.observe([1]).evidence + (1 - eps) * before.observe([0]).evidence
    assert mean <= before.evidence * (1 + 1e-9)


def test_false_alarms_over_a_long_time() -> None:
    rng = np.random.default_rng(0)
    runs = [Monitor(0.05, 0.2).observe((rng.random(3000) < 0.05).tolist()).alarm for _ in range(150)]
    assert sum(runs) <= int((1 - binomial_tails(150, 0.2) > 1e-4).sum())


@pytest.mark.parametrize(("start", "within"), [(0, 100), (2000, 200)])
def test_a_drift_is_found(start: int, within: int) -> None:
    rng = np.random.default_rng(1)
    before = Monitor(0.02).observe((rng.random(start) < 0.01).tolist())
    after = before.observe((rng.random(1000) < 0.2).tolist())
    assert not before.alarm
    assert after.alarm_at is not None
    assert after.alarm_at - start < within
    assert f"Alarm at loss {after.alarm_at}: a risk of at most 0.02 no longer holds" in after.statement()
    assert after.observe([0] * 1000).alarm  # it stays


def test_a_certain_loss_does_not_overflow() -> None:
    assert Monitor(0.001).observe([1] * 5000).alarm_at is not None


def test_pieces_equal_the_whole_and_the_file(tmp_path: Path) -> None:
    losses = [0.0, 1.0, 0.5, 0.0, 1.0]
    first = Monitor(0.1).observe(losses[:2])
    first.save(tmp_path / "m.json")
    assert Monitor.load(tmp_path / "m.json") == first
    assert first.observe(losses[2:]) == Monitor(0.1).observe(losses)
    assert "No alarm: 2.5 losses in 5" in first.observe(losses[2:]).statement()


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"wealth": [1.0]}, {"wealth": "x"}, {"count": -1}, {"alarm_at": 9}, {"eps": 2.0}, {"more": 1}, {"count": "a"}]
)
def test_other_files_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "m.json"
    Monitor(0.1).observe([1, 0]).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match="expected a monitor"):
        Monitor.load(path)


@pytest.mark.parametrize("loss", [-0.1, 1.5, float("nan")])
def test_losses_out_of_range_are_refused(loss: float) -> None:
    with pytest.raises(ValueError, match=r"losses: expected numbers in \[0, 1\], got .* after 1"):
        Monitor(0.1).observe([0, loss])
