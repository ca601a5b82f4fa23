"""Policies: what is written is read back, and what does not belong together is refused."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dendrix.exits import RULES, ExitRecord, ExitRule, FixedSteps, Goal, Guarantee, Margin, MaxProbability, MeanSteps, Pareto, Policy, fit
from support.exit_records import pool

GOALS = [Pareto(0.1), MeanSteps(8), Guarantee(0.1, 0.1), Guarantee(0.1, 0.1, "disagreement")]


@pytest.fixture(scope="module")
def record() -> ExitRecord:
    return replace(pool(200), dt_ms=10.0, model="abc")


@pytest.fixture
def policy(record: ExitRecord) -> Policy:
    return fit(record, MaxProbability(1.0, min_steps=2, scale=3.0, compat=True), Guarantee(0.1, 0.1))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("goal", GOALS, ids=str)
@pytest.mark.parametrize("per_step", [False, True])
def test_what_is_saved_is_loaded(name: str, goal: Goal, per_step: bool, record: ExitRecord, tmp_path: Path) -> None:
    policy = fit(record, name, goal, per_step=per_step)
    policy.save(tmp_path / "policy.json")
    assert Policy.load(tmp_path / "policy.json") == policy
    assert [file.name for file in tmp_path.iterdir()] == ["policy.json"]


def test_settings_and_facts_are_in_the_file(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path / "policy.json")
    content = json.loads((tmp_path / "policy.json").read_text())
    assert content["rule"] == {
        "name": "max-probability",
        "threshold": policy.rule.threshold,
        "min_steps": 2,
        "scale": 3.0,
        "compat": True,
    }
    assert content["goal"] == {"name": "guarantee", "eps": 0.1, "delta": 0.1, "loss": "accuracy-drop"}
    assert content["parts"] == {"certification": 200, "selection": 0, "fit": 0}
    assert (content["steps"], content["classes"], content["accumulation"], content["dt_ms"], content["model"]) == (
        16,
        10,
        "sum",
        10.0,
        "abc",
    )
    assert content["statement"].startswith("With a probability of at least 0.9 over the draw of the 200 calibration inputs, at most 0.1")


def test_a_threshold_that_never_stops_is_a_word(record: ExitRecord, tmp_path: Path) -> None:
    policy = fit(record, "margin", Guarantee(0.01, 0.1), fallback=True)
    policy.save(tmp_path / "policy.json")
    assert json.loads((tmp_path / "policy.json").read_text())["rule"]["threshold"] == "never"
    assert Policy.load(tmp_path / "policy.json").rule == Margin(float("inf"))


def test_numbers_of_numpy_can_be_saved(policy: Policy, tmp_path: Path) -> None:
    for rule in (Margin(np.float32(0.5), min_steps=np.int64(2)), Margin((np.float64(0.5), np.int64(1)), min_steps=2)):
        replace(policy, rule=rule).save(tmp_path / "policy.json")
        assert Policy.load(tmp_path / "policy.json").rule == rule


def test_a_policy_of_0_1_0_is_read(record: ExitRecord, tmp_path: Path) -> None:
    """Format 2 had other names, and did not say whether the policy stops early."""
    for goal in (MeanSteps(8), MeanSteps(16)):
        policy = fit(record, FixedSteps(0.0), goal)
        path = tmp_path / "policy.json"
        policy.save(path)
        old = json.loads(path.read_text())
        old |= {
            "format": 2,
            "how": old.pop("accumulation"),
            "rule": old["rule"] | {"name": "budget"},
            "goal": old["goal"] | {"name": "budget"},
        }
        del old["stops_early"], old["digest"]
        path.write_text(json.dumps(old | {"digest": hashlib.sha256(json.dumps(old, sort_keys=True).encode()).hexdigest()[:32]}))
        assert Policy.load(path) == policy


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 4}, "of format 3, got 4. Update dendrix"),
        ({"format": 1}, "got 1, which does not identify the neurons of its network. Record the network again, and fit"),
        ({"mean_steps": 1.0}, "changed afterwards. Fit it again"),
        ({"rule": {"name": "margin", "threshold": 0.1, "min_steps": 1}}, "changed afterwards"),
        ({"extra": 1}, "changed afterwards"),
        ({"digest": None}, "Is this the right file"),
        ({"format": "1"}, "Is this the right file"),
    ],
)
def test_changed_and_newer_files_are_refused(changes: dict[str, Any], message: str, policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    policy.save(path)
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=message):
        Policy.load(path)


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"rule": {"name": "sprt", "threshold": 1}}, "'sprt'"), ({"goal": {"name": "speed"}}, "'speed'"), ({"drift": 1}, "'drift'")],
)
def test_what_a_later_version_may_have_written_is_one_sentence(changes: dict[str, Any], word: str, policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    policy.save(path)
    content = json.loads(path.read_text()) | changes
    content.pop("digest")
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    path.write_text(json.dumps(content | {"digest": digest}))
    with pytest.raises(ValueError, match=f"of this version, but .*{word}.* Update dendrix"):
        Policy.load(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1', "\x00"])
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(content)
    with pytest.raises(ValueError, match=r"policy\.json: expected"):
        Policy.load(tmp_path / "policy.json")


def test_nothing_is_left_of_a_policy_that_cannot_be_written(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        policy.save(tmp_path / "absent" / "policy.json")

    class Own(ExitRule):
        """A rule that no file can name."""

    with pytest.raises(TypeError, match="Own: expected one of"):
        replace(policy, rule=Own(0.5)).save(tmp_path / "policy.json")
    assert not list(tmp_path.iterdir())


def test_check_refuses_other_networks(policy: Policy, record: ExitRecord) -> None:
    policy.check(record)
    policy.check(replace(record, model=""))  # unknown: not compared
    for other, message in (
        (replace(record, outputs=record.outputs[:, :15]), "expected 16 steps, .* got 15"),
        (replace(record, outputs=record.outputs[..., :9], labels=None), "classes: expected 10, .* got 9"),
        (replace(record, accumulation="mean"), "accumulation: expected 'sum', .* got 'mean'"),
        (replace(record, dt_ms=None), "dt_ms: expected 10.0, .* got None"),
        (replace(record, model="xyz"), "model: expected 'abc', .* got 'xyz'"),
    ):
        with pytest.raises(ValueError, match=message):
            policy.check(other)


def test_inputs_of_unequal_length_may_be_padded_less(record: ExitRecord) -> None:
    varying = replace(record, lengths=torch.full((200,), 12))
    policy = fit(varying, FixedSteps(0.0), Pareto())
    shorter = replace(varying, outputs=record.outputs[:, :12])
    policy.check(shorter)
    fit(shorter, FixedSteps(0.0), Pareto()).check(varying)  # and more
    with pytest.raises(ValueError, match=r"expected 16 steps, .* got 12"):
        fit(record, FixedSteps(0.0), Pareto()).check(shorter)
