"""Reports: every figure on a record worked by hand, and the forms in which they are shown."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from dendrix.exits import CONVENTIONS, ExitRecord, Guarantee, Margin, MaxProbability, MeanSteps, fit, report, save_report_figure, tables
from dendrix.exits.policy import Policy
from support.exit_records import pool

# Evidence for the classes 0, 1 after each of three steps; the truth is class 0. The margins are 2 4 4, -2 2 4, 1 -5 -5 and 1 1 1.
BY_HAND = torch.tensor(
    [
        [[2.0, 0.0], [4.0, 0.0], [4.0, 0.0]],
        [[0.0, 2.0], [2.0, 0.0], [4.0, 0.0]],
        [[1.0, 0.0], [0.0, 5.0], [0.0, 5.0]],
        [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]],
    ]
)


@pytest.fixture
def by_hand() -> ExitRecord:
    return ExitRecord(BY_HAND, torch.zeros(4, dtype=torch.int64), accumulation="last", dt_ms=5.0)


@pytest.fixture
def policy(by_hand: ExitRecord) -> Policy:
    return replace(fit(by_hand, "margin"), rule=Margin(1.5), data=())


def test_figures_by_hand(by_hand: ExitRecord, policy: Policy) -> None:
    found = report(policy, by_hand)  # the exits are after steps 1, 1, 2 and 3; only the first and the last answer are right
    assert found.count == 4
    assert found.mean_steps == 7 / 4
    assert found.p95_steps == 3
    assert found.full_steps == 3
    assert found.histogram == (0.5, 0.25, 0.25)
    assert found.disagreement == 1 / 4
    assert found.mean_steps_interval.low <= 7 / 4 <= found.mean_steps_interval.high
    truth = found.truth
    assert truth is not None
    assert (truth.accuracy, truth.accuracy_of_full_run, truth.drops) == (0.5, 0.75, 0.25)
    assert truth.static == ((1, 0.75), (2, 0.75), (3, 0.75))
    assert truth.policy == ((1, 0.75), (1.5, 0.5), (1.75, 0.5))
    assert truth.oracle == ((1, 0.75), (1.25, 1), (1.25, 1))
    assert CONVENTIONS["cap"] in truth.oracle_name
    assert truth.optimal_cutoff == (1 + 2 + 3 + 1) / 4
    assert truth.auroc == 0.5 / 4  # margins 2 and 1 where right, 2 and 5 where wrong: of four pairs one is a tie
    assert truth.rules["margin"].front == ((1, 0.75),)
    assert truth.rules["margin"].steps_without_loss == 1


def test_oracle_convention_is_passed_on(by_hand: ExitRecord, policy: Policy) -> None:
    truth = report(policy, by_hand, convention="one").truth
    assert truth is not None
    assert CONVENTIONS["one"] in truth.oracle_name


def test_says_when_the_policy_was_fitted_on_the_same_inputs() -> None:
    one, other = pool(200), pool(200, seed=1)
    policy = fit(one, "margin", Guarantee(0.1, 0.1), per_step=True)
    assert report(policy, one).fitted_on_these
    assert not report(policy, other).fitted_on_these
    assert "too optimistic" in shown(policy, one)
    assert "too optimistic" not in shown(policy, other)


def test_says_when_nothing_stops_early(by_hand: ExitRecord, policy: Policy) -> None:
    assert "None of these inputs stops early." in shown(replace(policy, rule=Margin(100.0)), by_hand)
    assert "None of these" not in shown(policy, by_hand)


def shown(policy: Policy, record: ExitRecord, convention: str = "cap") -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(tables(report(policy, record, ["margin", "patience"], convention)))
    return capture.get()


def test_table_shows_promise_times_and_rules(by_hand: ExitRecord, policy: Policy) -> None:
    text = shown(policy, by_hand)
    for part in (
        policy.statement[:60],
        "1.75 steps, 9 ms",
        "patience",
        "an input that is never answered correctly costs the cap",
        "50.00%",
    ):
        assert part in text


def test_rules_side_by_side() -> None:
    record, policy = pool(500, seed=1), fit(pool(500), MaxProbability(1.0, scale=3.0), MeanSteps(8))
    truth = report(policy, record, ["margin", "entropy", "fixed-steps", Margin(0.0, min_steps=15)]).truth
    assert truth is not None
    assert list(truth.rules) == ["max-probability", "margin", "entropy", "fixed-steps", "margin (2)"]
    assert truth.rules["fixed-steps"].auroc == 0.5  # the number of steps knows nothing
    best = truth.rules["max-probability"].accuracy
    assert best is not None
    assert best >= truth.accuracy - 1e-9 or truth.policy[-1][0] > policy.mean_steps
    assert truth.rules["margin"].accuracy is not None
    assert truth.rules["margin (2)"].accuracy is None  # it must not stop that early
    for figures in truth.rules.values():
        steps, accuracy = zip(*figures.front, strict=True)
        assert list(steps) == sorted(steps)
        assert list(accuracy) == sorted(accuracy)
        assert len(steps) <= 200


def test_json_is_finite_and_complete(tmp_path: Path) -> None:
    record = pool(100, seed=1)
    never_right = record.subset(~record.right().any(1))
    policy = fit(pool(300), MaxProbability(1.0, scale=3.0), MeanSteps(8))
    for part in (record, never_right, replace(record, labels=None)):
        report(policy, part, ["margin"], "exclude").save(tmp_path / "report.json")
        content = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
        assert content["count"] == len(part)
        assert (content["truth"] is None) == (part.labels is None)
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    assert "no input is ever answered correctly" in shown(policy, never_right, "exclude")


def test_without_labels(by_hand: ExitRecord, policy: Policy, tmp_path: Path) -> None:
    unknown = replace(by_hand, labels=None)
    found = report(policy, unknown)
    assert found.truth is None
    assert found.mean_steps == 7 / 4
    assert "accuracy is unknown" in shown(policy, unknown)
    with pytest.raises(ValueError, match="a record with labels"):
        save_report_figure(tmp_path / "report.png", found)
    assert not list(tmp_path.iterdir())


def test_figure_is_written(by_hand: ExitRecord, policy: Policy, tmp_path: Path) -> None:
    save_report_figure(tmp_path / "report.png", report(policy, by_hand, ["patience"]))
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_a_record_of_another_network_is_refused(policy: Policy) -> None:
    with pytest.raises(ValueError, match=r"classes: expected 2, .* got 10"):
        report(policy, replace(pool(10), accumulation="last", dt_ms=5.0))
