"""What every exit rule owes its users: time, rows, padding, and a threshold that means the same everywhere."""

import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import ACCUMULATIONS, accumulate_step, cat, map_state, rows
from dendrix.exits import ExitRecord, ExitRule, decide, scores
from dendrix.exits.rules.names import ALL_RULES
from support.states import tensors

N, T, K = 12, 6, 4
EVERY_RULE = pytest.mark.parametrize("kind", ALL_RULES.values(), ids=ALL_RULES)


def recorded(dtype: torch.dtype = torch.float32, accumulation: str = "sum", seed: int = 0) -> ExitRecord:
    """Outputs that drift towards a class, with rounded rows (ties) and silent ones, of inputs of unequal length."""
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(N, T, K, generator=generator, dtype=dtype)
    outputs[:, :, 0] += 0.5
    outputs[:3] = outputs[:3].round()
    outputs[3] = 0
    return ExitRecord(outputs, lengths=torch.randint(1, T + 1, (N,), generator=generator), accumulation=accumulation)


def threshold_of(kind: type[ExitRule], record: ExitRecord, share: float) -> float:
    """The threshold below which this share of all scores lies, so that any rule has one in its range."""
    return scores(kind(0.0), record)[record.valid].double().quantile(share).clamp_min(kind.span[0]).item()


def thresholds_of(kind: type[ExitRule], record: ExitRecord) -> tuple[float, ...]:
    """Another threshold for each step, neither rising nor falling."""
    return tuple(threshold_of(kind, record, share) for share in (0.9, 0.4, 0.7, 0.2))


def stream(rule: ExitRule, record: ExitRecord) -> tuple[Tensor, Tensor]:
    """Steps and answers of the inputs run one by one, each stopped where the rule says so."""
    found = []
    for outputs, end in zip(record.outputs, record.ends.tolist(), strict=True):
        state, evidence = rule.init(1), None
        for step in range(1, end + 1):
            evidence_t, evidence = accumulate_step(rule.weigh(outputs[None, step - 1]), evidence, record.accumulation)
            stop, state = rule.step(evidence_t, state)
            if stop.item():
                break
        found.append((step, evidence_t.argmax().item()))
    steps, answers = torch.tensor(found).unbind(1)
    return steps, answers


@EVERY_RULE
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_streaming_equals_deciding_in_hindsight(kind: type[ExitRule], accumulation: str, dtype: torch.dtype) -> None:
    record = recorded(dtype, accumulation)
    for rule in (kind(threshold_of(kind, record, 0.6)), kind(thresholds_of(kind, record), min_steps=2)):
        decisions = decide(rule, record)
        steps, answers = stream(rule, record)
        assert torch.equal(decisions.steps, steps)
        assert torch.equal(decisions.answers, answers)


@EVERY_RULE
def test_every_input_exits_by_its_end(kind: type[ExitRule]) -> None:
    record = recorded()
    never = decide(kind(kind.span[1]), record)
    assert torch.equal(never.steps, record.ends)
    assert not never.stopped.any()
    for share in (0.1, 0.5, 0.9):
        decisions = decide(kind(threshold_of(kind, record, share)), record)
        assert (decisions.steps >= 1).all()
        assert (decisions.steps <= record.ends).all()
        assert decisions.stopped[decisions.steps < record.ends].all()


@EVERY_RULE
def test_minus_infinity_stops_everybody_at_the_first_step_allowed(kind: type[ExitRule]) -> None:
    record = recorded()
    for first in (1, 3):
        decisions = decide(kind(-math.inf, min_steps=first), record)
        assert torch.equal(decisions.steps, record.ends.clamp_max(first))


@EVERY_RULE
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_lower_threshold_never_exits_later(kind: type[ExitRule], data: st.DataObject) -> None:
    record = recorded(seed=data.draw(st.integers(0, 2**16)))
    share = st.floats(0, 1)
    per_step = data.draw(st.lists(st.tuples(share, share), min_size=1, max_size=T))
    low = tuple(threshold_of(kind, record, min(pair)) for pair in per_step)
    high = tuple(threshold_of(kind, record, max(pair)) for pair in per_step)
    assert (decide(kind(low), record).steps <= decide(kind(high), record).steps).all()


@EVERY_RULE
def test_no_row_stops_before_its_first_step_allowed(kind: type[ExitRule]) -> None:
    record = recorded()
    rule = kind(threshold_of(kind, record, 0.3))
    free = decide(rule, record)
    held = decide(replace(rule, min_steps=3), record)
    assert (held.steps >= record.ends.clamp_max(3)).all()
    assert (free.steps < 3).any()


@EVERY_RULE
def test_rows_are_independent(kind: type[ExitRule]) -> None:
    record = recorded()
    rule = kind(thresholds_of(kind, record))
    together = decide(rule, record)
    for row in range(N):
        alone = decide(rule, record.subset(torch.tensor([row])))
        assert (alone.steps.item(), alone.answers.item()) == (together.steps[row].item(), together.answers[row].item())


@EVERY_RULE
def test_rows_can_be_dropped_reordered_and_joined(kind: type[ExitRule]) -> None:
    evidence = recorded().evidence()
    rule = kind(thresholds_of(kind, recorded()))
    flags, state = [], rule.init(N)
    for evidence_t in evidence.unbind(1):
        stop, state = rule.step(evidence_t, state)
        flags.append(stop)
    state = rule.init(N)
    for evidence_t in evidence[:, :2].unbind(1):
        _, state = rule.step(evidence_t, state)
    order = torch.tensor([7, 2, 9, 0])
    state = cat([rows(state, order[:1]), rows(state, order[1:])])
    for t in range(2, T):
        stop, state = rule.step(evidence[order, t], state)
        assert torch.equal(stop, flags[t][order])


@EVERY_RULE
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_evidence_that_is_not_finite_never_stops(kind: type[ExitRule], bad: float) -> None:
    rule = kind(-math.inf)
    state = rule.init(N)
    for evidence_t in recorded().evidence().unbind(1):
        broken = evidence_t.clone()
        broken[::2, 1] = bad
        stop, state = rule.step(broken, state)
        assert stop.tolist() == [False, True] * (N // 2)


@EVERY_RULE
def test_what_lies_behind_the_end_does_not_matter(kind: type[ExitRule]) -> None:
    record = recorded()
    rule = kind(threshold_of(kind, record, 0.6))
    expected = decide(rule, record)
    for junk in (math.nan, math.inf, 1e30, -7.0):
        padded = replace(record, outputs=record.outputs.masked_fill(~record.valid.unsqueeze(-1), junk))
        assert torch.equal(decide(rule, padded).steps, expected.steps)
        assert torch.equal(decide(rule, padded).answers, expected.answers)


@EVERY_RULE
def test_inputs_and_states_are_not_changed(kind: type[ExitRule]) -> None:
    evidence_t = recorded().evidence()[:, 0]
    rule = kind(thresholds_of(kind, recorded()))
    _, state = rule.step(evidence_t, rule.init(N))
    before = [evidence_t.clone(), *tensors(map_state(torch.clone, state))]
    rule.step(evidence_t, state)
    assert_close([evidence_t, *tensors(state)], before, rtol=0, atol=0)


@EVERY_RULE
def test_the_state_has_a_row_for_each_input(kind: type[ExitRule]) -> None:
    rule = kind(kind.span[0])
    for state in (rule.init(N), rule.step(recorded().evidence()[:, 0], rule.init(N))[1]):
        assert all(len(part) == N for part in tensors(state))


@EVERY_RULE
def test_a_state_of_another_batch_is_refused(kind: type[ExitRule]) -> None:
    rule = kind(kind.span[0])
    with pytest.raises(ValueError, match=r"evidence_t: expected \[B=3, K\]"):
        rule.step(torch.randn(2, K), rule.init(3))


@EVERY_RULE
def test_scores_stay_in_their_range(kind: type[ExitRule]) -> None:
    low, high = kind.span
    for dtype in (torch.float32, torch.float64):
        found = scores(kind(low), recorded(dtype))
        assert (found >= low).all()
        assert (found <= high).all()


@EVERY_RULE
@pytest.mark.usefixtures("fresh_dynamo")
def test_a_compiled_step_is_one_graph(kind: type[ExitRule]) -> None:
    evidence_t = recorded().evidence()[:, 0]
    rule = kind(thresholds_of(kind, recorded()))
    stop, state = torch.compile(rule.step, backend="eager", fullgraph=True)(evidence_t, rule.init(N))
    expected, after = rule.step(evidence_t, rule.init(N))
    assert torch.equal(stop, expected)
    assert_close(tensors(state), tensors(after), rtol=0, atol=0)


@EVERY_RULE
def test_a_rule_is_what_json_makes_of_it(kind: type[ExitRule]) -> None:
    for rule in (kind(kind.span[0]), kind(thresholds_of(kind, recorded()), min_steps=3)):
        assert kind(**json.loads(json.dumps(asdict(rule)))) == rule


@EVERY_RULE
@pytest.mark.parametrize("threshold", [-0.1, math.nan, (), (0.5, math.nan), "0.6", None, (0.5, "1"), torch.tensor(0.5)])
def test_a_threshold_that_no_score_can_have_is_refused(kind: type[ExitRule], threshold: object) -> None:
    with pytest.raises(ValueError, match="threshold: expected a number from 0 to"):
        kind(threshold)


@EVERY_RULE
@pytest.mark.parametrize("first", [0, -1, 1.5, "2"])
def test_a_first_step_that_is_none_is_refused(kind: type[ExitRule], first: object) -> None:
    with pytest.raises(ValueError, match="min_steps: expected a whole number"):
        kind(kind.span[0], min_steps=first)
