"""Fits against the fixtures, against rules applied one by one, and on inputs that they must refuse."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.errors import InputError
from dendrix.exits import (
    RULES,
    Entropy,
    ExitRecord,
    Guarantee,
    Margin,
    MaxProbability,
    MeanSteps,
    Pareto,
    Parts,
    Patience,
    best_scale,
    decide,
    fit,
    pareto_front,
)
from dendrix.exits.fitting.goals import Goal
from dendrix.exits.fitting.outcomes import Outcomes, events, sweep, trace
from support.dynconf import Case, case
from support.exit_records import pool

REFERENCE = MaxProbability(1.0, scale=30.0, compat=True)
GOALS = [Pareto(0.05), MeanSteps(5), Guarantee(0.1, 0.1), Guarantee(0.1, 0.1, "disagreement")]


@pytest.fixture(scope="module", params=["small", "ties"])
def fixture(request: pytest.FixtureRequest) -> Case:
    return case(request.param)


def halves(fixture: Case) -> tuple[ExitRecord, ExitRecord]:
    """The calibration and the test inputs of a fixture."""
    count = int(fixture.arrays["ours_calib_count"])
    return fixture.record.subset(torch.arange(count)), fixture.record.subset(torch.arange(count, len(fixture.record)))


def reference_outcomes(fixture: Case, part: slice) -> Outcomes:
    """What the thresholds of a fixture do, with ties read as the reference reads them: by the largest probability."""
    record = fixture.record.subset(torch.arange(len(fixture.record))[part])
    right = torch.from_numpy(fixture.arrays["ref_right"]).T[part]
    return sweep(replace(trace(REFERENCE, record), right=right)).at(fixture.arrays["in_thresholds"].tolist())


def rising(values: torch.Tensor, count: int) -> np.ndarray:
    """Means in the order of the fixtures, which is that of rising thresholds."""
    return values.flip(0).numpy() / count


def test_sweep_of_the_fixtures(fixture: Case) -> None:
    count = int(fixture.arrays["ours_calib_count"])
    for part, key in ((slice(count), "port_sweep_calib"), (slice(count, None), "port_sweep_test")):
        outcomes = reference_outcomes(fixture, part)
        assert outcomes.correct is not None
        np.testing.assert_allclose(rising(outcomes.steps, outcomes.count), fixture.arrays[key][:, 0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(rising(outcomes.correct, outcomes.count), fixture.arrays[key][:, 1], rtol=0, atol=1e-9)


def test_front_and_choice_of_the_fixtures(fixture: Case) -> None:
    outcomes = reference_outcomes(fixture, slice(int(fixture.arrays["ours_calib_count"])))
    assert outcomes.correct is not None
    front = pareto_front(rising(outcomes.steps, 1), rising(outcomes.correct, 1))
    np.testing.assert_array_equal(front, fixture.arrays["ours_pareto_mask"])
    chosen = fixture.arrays["in_thresholds"][fixture.arrays["ours_selected_index"]]
    assert outcomes.thresholds[Pareto().choose(outcomes)].item() == chosen
    calibration, _ = halves(fixture)
    assert fit(calibration, REFERENCE, thresholds=fixture.arrays["in_thresholds"].tolist()).rule == replace(REFERENCE, threshold=chosen)


def test_scale_of_the_fixtures(fixture: Case) -> None:
    calibration, _ = halves(fixture)
    assert best_scale(calibration, scales=fixture.arrays["ours_alpha_grid"].tolist()) == fixture.arrays["ours_alpha"]


@pytest.mark.parametrize("by", ["ece", "nll"])
@pytest.mark.parametrize("size", [1e-6, 1e3, 1e6, 1e30])
def test_scale_follows_the_size_of_the_outputs(size: float, by: str) -> None:
    record = pool(200, steps=6)
    found, plain = best_scale(replace(record, outputs=size * record.outputs), by) / size, best_scale(record, by)
    assert plain / 2 <= found <= 2 * plain


def test_scale_at_the_edge_is_told() -> None:
    record = pool(300)
    with pytest.warns(UserWarning, match="The scale, 0.5, is the largest that was tried"):
        assert best_scale(record, scales=[0.1, 0.25, 0.5]) == 0.5
    with pytest.warns(UserWarning, match="The scale, 4, is the smallest that was tried"):
        assert best_scale(record, scales=[4.0, 8.0]) == 4.0
    wrong = replace(record, labels=(record.answers()[:, -1] + 1) % 10)  # the less certain, the better
    policy = fit(wrong, goal=Pareto(), scale="nll")
    assert isinstance(policy.rule, MaxProbability)
    assert f"The scale, {policy.rule.scale:.4g}, is the largest that was tried; the best one may lie beyond it." in policy.statement


@pytest.mark.parametrize("outputs", [torch.zeros(10, 3, 4), torch.randn(10, 3, 1)], ids=["silent", "one class"])
def test_scale_that_does_not_matter(outputs: torch.Tensor) -> None:
    assert best_scale(ExitRecord(outputs, torch.zeros(10, dtype=torch.int64))) == 1 / 16


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 99), min_steps=st.integers(1, 4), share=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_sweep_equals_deciding_with_every_threshold(name: str, seed: int, min_steps: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(12, 6, 3, generator=generator)
    outputs[:4] = outputs[:4].round()
    lengths = torch.randint(1, 7, (12,), generator=generator)
    record = ExitRecord(outputs, torch.randint(3, (12,), generator=generator), lengths)
    rule = RULES[name](0.0, min_steps)
    outcomes = sweep(trace(rule, record))
    for index in {int(share * (len(outcomes.thresholds) - 1)), len(outcomes.thresholds) - 1, 0}:
        decisions = decide(replace(rule, threshold=outcomes.thresholds[index].item()), record)
        right_at_end = record.right()[:, -1]
        right = decisions.answers == record.truth
        assert outcomes.steps[index] == decisions.steps.sum()
        assert outcomes.correct is not None
        assert outcomes.correct[index] == right.sum()
        assert outcomes.drops is not None
        assert outcomes.drops[index] == (right_at_end & ~right).sum()
        assert outcomes.differs[index] == (decisions.answers != record.answers()[:, -1]).sum()


@pytest.mark.parametrize("name", RULES)
def test_sweep_knows_that_evidence_beyond_all_numbers_stops_nobody(name: str) -> None:
    outputs = torch.zeros(4, 5, 2)
    outputs[:, :, 0] = 2e38  # their sum overflows at step 2
    record = ExitRecord(outputs, torch.zeros(4, dtype=torch.int64))
    rule = RULES[name](0.0, min_steps=2)
    assert decide(rule, record).steps.tolist() == [5] * 4
    assert set(sweep(trace(rule, record)).steps.tolist()) == {20}


@given(seed=st.integers(0, 99), chosen=st.lists(st.booleans(), min_size=12, max_size=12).filter(any))
@settings(max_examples=30, deadline=None)
def test_outcomes_of_chosen_inputs_are_those_of_a_smaller_record(seed: int, chosen: list[bool]) -> None:
    record = pool(12, steps=5, classes=3, seed=seed)
    among = torch.tensor(chosen)
    found = events(trace(Margin(0.0), record)).outcomes(among)
    wanted = sweep(trace(Margin(0.0), record.subset(among)))
    assert (found.count, found.correct_at_end) == (wanted.count, wanted.correct_at_end)
    for name in ("thresholds", "steps", "differs", "correct", "drops"):
        assert torch.equal(getattr(found, name), getattr(wanted, name))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_front_equals_its_definition(points: list[tuple[int, int]]) -> None:
    def beaten(i: int) -> bool:
        cost, gain = points[i]
        better = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        return better or points[i] in points[:i]

    cost, gain = zip(*points, strict=True)
    assert pareto_front(cost, gain).tolist() == [not beaten(i) for i in range(len(points))]


def outcomes_of(steps: list[int], correct: list[int], at_end: int = 8) -> Outcomes:
    """Ten inputs under falling thresholds, by hand."""
    falling = torch.arange(len(steps), 0, -1).double() / 10
    loss = at_end - torch.tensor(correct)
    return Outcomes(10, falling, torch.tensor(steps), loss, torch.tensor(correct), loss, at_end)


@pytest.mark.parametrize(
    ("goal", "steps", "correct", "index"),
    [
        (Pareto(), [90, 50, 40, 20], [8, 8, 7, 9], 3),  # the fastest, although a slower one fails
        (Pareto(), [90, 50, 40, 20], [8, 8, 7, 7], 1),
        (Pareto(0.1), [90, 50, 40, 20], [8, 8, 7, 6], 2),
        (Pareto(), [90, 50, 50, 50], [8, 8, 9, 9], 2),  # equally fast: the most accurate, then the highest
        (MeanSteps(5), [90, 50, 40, 20], [8, 7, 7, 6], 2),  # equally accurate: the fastest
        (MeanSteps(4.5), [90, 50, 40, 20], [8, 9, 6, 7], 3),
    ],
)
def test_choices_by_hand(goal: Goal, steps: list[int], correct: list[int], index: int) -> None:
    assert goal.choose(outcomes_of(steps, correct)) == index


@pytest.mark.parametrize("goal", GOALS, ids=str)
@pytest.mark.parametrize("per_step", [False, True])
def test_policy_does_what_the_fit_counted(goal: Goal, per_step: bool) -> None:
    record = pool(400)
    policy = fit(record, MaxProbability(1.0, scale=3.0), goal, per_step=per_step)
    if not per_step:
        assert decide(policy.rule, record).steps.double().mean().item() == pytest.approx(policy.mean_steps, abs=1e-9)
        return
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    certification = record.subset(order[200:])
    assert isinstance(policy.rule.threshold, tuple)
    assert decide(policy.rule, certification).steps.double().mean().item() == pytest.approx(policy.mean_steps, abs=1e-9)
    assert policy.parts == {"certification": 200, "selection": 0, "fit": 200}


def test_budget_is_kept_and_used() -> None:
    policy = fit(pool(1000), "margin", MeanSteps(6))
    assert 5.9 < policy.mean_steps <= 6


def test_settings_are_chosen_on_parts_of_their_own() -> None:
    record = pool(400)
    policy = fit(record, ["max-probability", "entropy"], scale="ece", seed=3)
    assert policy.parts == {"certification": 200, "selection": 100, "fit": 100}
    assert isinstance(policy.rule, (MaxProbability, Entropy))
    assert policy.rule.scale != 1
    assert fit(record, ["max-probability", "entropy"], scale="ece", seed=3) == policy
    assert fit(record, ["max-probability", "entropy"], scale="ece", seed=4) != policy
    order = torch.randperm(400, generator=torch.Generator().manual_seed(3))
    parts = Parts(record.subset(order[200:]), record.subset(order[:100]), record.subset(order[100:200]))
    assert fit(parts, ["max-probability", "entropy"], scale="ece", seed=3).rule == policy.rule


def test_the_best_rule_is_chosen() -> None:
    """Half of the inputs look sure from the start and are wrong: only patience, which waits, keeps their answers."""
    right = torch.zeros(200, 6, 2)
    right[:, :, 0] = 1
    right[::2, 0] = torch.tensor([0.0, 9.0])
    record = ExitRecord(right, torch.zeros(200, dtype=torch.int64), accumulation="last")
    assert isinstance(fit(record, ["margin", "patience"]).rule, Patience)
    assert isinstance(fit(record, ["patience", "margin"]).rule, Patience)


def growing(gain: float = 10.0, count: int = 1000) -> ExitRecord:
    """Ten classes over 27 steps, with evidence that soon leads by more than the precision of a probability of scale 1."""
    record = pool(count, steps=27)
    return replace(record, outputs=gain * record.outputs)


def test_a_policy_that_never_stops_says_so_and_what_to_do() -> None:
    record, goal = growing(), Guarantee(0.01, 0.1)
    policy = fit(record, "max-probability", goal)
    assert (policy.mean_steps, policy.stops_early) == (27, False)
    assert policy.statement.startswith("With a probability of at least 0.9")
    assert "No calibration input stops early with this policy. 50.1 % of its scores are equal to the maximum, 1" in policy.statement
    assert "Fit the scale (scale='ece', or --scale auto), or use the rule margin." in policy.statement
    for remedy in (fit(record, goal=goal, scale="ece"), fit(record, "margin", goal), fit(record, goal=goal)):
        assert remedy.stops_early
        assert remedy.mean_steps < 20
        assert "stops early" not in remedy.statement


def test_confidence_that_float32_cannot_hold_is_fitted() -> None:
    policy = fit(growing(gain=5.0), "max-probability", Guarantee(0.01, 0.1))
    assert policy.stops_early
    assert policy.mean_steps < 16


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_every_goal_says_when_nothing_stops_early(goal: Goal, per_step: bool) -> None:
    record = pool(200, steps=5)
    policy = fit(record, Margin(0.0, min_steps=5), goal, per_step=per_step)
    assert not policy.stops_early
    reason = "Its min_steps, 5, is the last step of the record. Choose an earlier one."
    assert policy.statement.endswith(f"No calibration input stops early with this policy. {reason}")
    assert not fit(record, "margin", Guarantee(0.001, 0.1), fallback=True).stops_early


def test_the_lowest_of_the_candidates_is_told() -> None:
    record, told = pool(400), "The threshold is the lowest of those given; a lower one may be faster."
    high, low = (fit(record, "margin", Pareto(0.1), thresholds=values) for values in ([4.0, 5.0, 6.0], [0.1, 4.0, 6.0]))
    assert high.statement.endswith(told)
    assert told not in low.statement


def test_without_labels() -> None:
    record = replace(pool(300), labels=None)
    assert fit(record, "margin", MeanSteps(6)).mean_steps <= 6
    assert fit(record, "margin", Guarantee(0.1, loss="disagreement"), per_step=True).mean_steps < 16
    for goal in (Pareto(), Guarantee(0.1)):
        with pytest.raises(ValueError, match="labels"):
            fit(record, "margin", goal)
    with pytest.raises(ValueError, match="labels"):
        fit(record, "max-probability", MeanSteps(6), scale="nll")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "max-probabilty"}, "Did you mean 'max-probability'"),
        ({"rule": []}, "at least one"),
        ({"rule": "margin", "scale": "ece"}, "a rule with a scale"),
        ({"scale": "brier"}, "scale: expected one of ece, nll"),
        ({"thresholds": [0.5, 0.1]}, "rising order"),
        ({"thresholds": [-0.5, 0.1]}, "numbers from 0 up"),
        ({"thresholds": []}, "rising order"),
        ({"thresholds": [0.1, float("nan")]}, "rising order"),
        ({"thresholds": [0.5], "per_step": True}, "one or the other"),
        ({"thresholds": [0.0]}, "Add higher thresholds"),
        ({"thresholds": [0.9999], "goal": MeanSteps(1)}, "Allow more steps"),
    ],
)
def test_refuses(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(pool(200), **arguments)  # type: ignore[arg-type]


def test_refuses_parts_that_are_not_apart() -> None:
    record = pool(100)
    with pytest.raises(ValueError, match="100 of 100 are the same"):
        Parts(record, selection=record)
    with pytest.raises(ValueError, match="the same"):
        Parts(record, fit=record.subset(torch.randperm(100)[:60]))
    with pytest.raises(ValueError, match="6 of 50 are the same"):
        Parts(record.subset(torch.arange(50)), selection=record.subset(torch.arange(44, 94)))
    with pytest.raises(ValueError, match="Record them alike"):
        Parts(record, fit=pool(100, steps=5))
    with pytest.raises(ValueError, match="selection: expected a record"):
        fit(Parts(record), scale="ece")
    with pytest.raises(ValueError, match="at least 4 inputs"):
        fit(pool(3), per_step=True)


def test_silent_inputs_are_not_mistaken_for_shared_ones() -> None:
    quiet = [pool(50, seed=seed) for seed in (0, 1)]
    for record in quiet:
        record.outputs[:10] = 0
    assert Parts(quiet[0], selection=quiet[1]).sizes == {"certification": 50, "selection": 50, "fit": 0}


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_inputs_that_are_alike_by_chance_are_not_mistaken_for_shared_ones(count: int) -> None:
    """Outputs that are few whole numbers: 243 different inputs."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        one, other = (ExitRecord(torch.randint(3, (count, 5, 1), generator=generator).float()) for _ in range(2))
        assert Parts(one, fit=other).sizes["fit"] == count


def test_without_options_the_best_rule_and_scale_are_chosen() -> None:
    record = growing()
    policy = fit(record)
    assert policy.parts == {"certification": 750, "selection": 0, "fit": 250}
    assert policy.stops_early
    assert policy.mean_steps < 20
    unlabelled = fit(replace(record, labels=None), goal=Guarantee(0.05, 0.1, "disagreement"))
    assert isinstance(unlabelled.rule, (Margin, Patience))
    assert unlabelled.stops_early
    parts = Parts(record.subset(torch.arange(500)), fit=record.subset(torch.arange(500, 1000)))
    assert fit(parts).parts == {"certification": 500, "selection": 0, "fit": 500}


def test_without_options_no_input_is_taken_from_a_guarantee_that_needs_all() -> None:
    policy = fit(pool(400), goal=Guarantee(0.01, 0.1))
    assert (policy.parts["certification"], isinstance(policy.rule, Margin)) == (400, True)
    assert fit(pool(700), goal=Guarantee(0.01, 0.1)).parts["certification"] == 525
    assert fit(pool(5)).parts["certification"] == 5


def test_the_promise_is_kept_without_options() -> None:
    """The choice of rule and scale uses other inputs, so it does not break the promise."""
    everything, goal = pool(3000, seed=5), Guarantee(0.05, 0.1)
    generator, broken = torch.Generator().manual_seed(0), 0
    for _ in range(40):
        policy = fit(everything.subset(torch.randperm(3000, generator=generator)[:160]), goal=goal)
        answers, full = decide(policy.rule, everything).answers, everything.answers()[:, -1]
        broken += ((full == everything.truth) & (answers != everything.truth)).double().mean().item() > 0.05
    assert broken <= 12  # binomial with 10 %: more than this in 1 of 10,000 experiments


@pytest.mark.parametrize(
    ("rule", "goal", "message"),
    [
        (Margin(0.0, min_steps=99), Pareto(), r"min_steps: expected at most 16, the steps of the record, got 99\."),
        ("margin", MeanSteps(17), r"at_most: expected at most 16, the steps of the record, got 17\."),
    ],
)
def test_numbers_behind_the_end_of_the_record_are_refused(rule: object, goal: Goal, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(pool(40), rule, goal)


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(InputError, match="seed: expected a whole number in"):
        fit(pool(40), seed=seed)


def test_a_goal_that_no_threshold_meets_early_asks_for_another() -> None:
    record = pool(40, steps=3)
    outputs = record.outputs.clone()
    outputs[:, :2] = -outputs[:, 2:]  # wrong until the last step
    policy = fit(replace(record, outputs=outputs, accumulation="last"), "margin", Pareto())
    assert not policy.stops_early
    assert policy.statement.endswith("No calibration input stops early with this policy. Try another rule, or a less strict goal.")
