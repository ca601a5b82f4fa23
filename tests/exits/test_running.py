"""Every way to run gives what the record says and what each input gives alone; streams are lazy; what is wrong is one sentence."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dendrix.core import ACCUMULATIONS, State, Stateful
from dendrix.exits import Entropy, ExitRecord, ExitRule, FixedSteps, Margin, MaxProbability, Patience, decide, follow, run, serve
from dendrix.exits.batching import Batching
from dendrix.layers import BatchNorm, DelayLinear, HeldDropout, Recurrent, Sequential
from dendrix.neurons import LI, LIF

CHANNELS, CLASSES = 5, 4
BATCHINGS: tuple[Batching, ...] = get_args(Batching)


def networks() -> dict[str, Sequential]:
    """In float64: equal then means equal to twelve digits, whatever the size of a batch."""
    torch.manual_seed(0)
    delays = dict(max_delay_ms=4, dt_ms=1)
    found = {
        "lif": Sequential(nn.Linear(CHANNELS, 8), LIF(8), nn.Linear(8, CLASSES)),
        "delays": Sequential(
            DelayLinear(CHANNELS, 8, **delays), BatchNorm(8), LIF(8), HeldDropout(0.5), DelayLinear(8, CLASSES, **delays), LI(CLASSES)
        ),
        "recurrent": Sequential(Recurrent(LIF(CHANNELS), nn.Linear(CHANNELS, CHANNELS)), nn.Linear(CHANNELS, CLASSES)),
    }
    return {name: network.double().eval() for name, network in found.items()}


NETWORKS = networks()
RULES = {
    "probability": MaxProbability(0.8),
    "compat": MaxProbability(0.6, scale=3.0, compat=True),
    "steps": MaxProbability((0.99, 0.9, 0.5), min_steps=2),
    "margin": Margin(1.0),
    "entropy": Entropy(0.5),
    "patience": Patience(2.5),
    "fixed-steps": FixedSteps.of(4),
    "never": MaxProbability(1.0),
}


class Echo(Stateful):
    """Its outputs are its inputs, so a test says what it answers; the state counts the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, ...]] = []

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        self.calls.append(tuple(x.shape[:2]))
        before = torch.zeros(len(x), dtype=torch.int64) if state is None else state
        steps = x.shape[1] if valid is None else valid.sum(1)
        return x, before + steps


def scripted(*steps: int, T: int = 8) -> list[Tensor]:
    """Inputs [T, 2] for `Echo` whose evidence makes `SURE` stop after these steps; beyond T: never."""
    return [torch.stack([torch.arange(T) == step - 1, torch.zeros(T)], 1) * 9.0 for step in steps]


SURE = MaxProbability(0.9)


@given(
    network=st.sampled_from(sorted(NETWORKS)), rule=st.sampled_from(sorted(RULES)), accumulation=st.sampled_from(ACCUMULATIONS),
    batching=st.sampled_from(BATCHINGS), batch_size=st.integers(1, 12), block=st.integers(1, 6),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=10), seed=st.integers(0, 1000),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_every_way_gives_the_decisions_of_the_record(
    network: str, rule: str, accumulation: str, batching: Batching, batch_size: int, block: int, lengths: list[int], seed: int
) -> None:
    model, ends = NETWORKS[network], torch.tensor(lengths)
    x = 3 * torch.randn(len(ends), int(ends.max()), CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        outputs, _ = model(x, None, torch.arange(x.shape[1]) < ends.unsqueeze(1))
    expected = decide(RULES[rule], ExitRecord(outputs, lengths=ends, accumulation=accumulation))
    found = run(model, x, RULES[rule], batching, accumulation, ends, batch_size, block)
    assert found.steps.tolist() == expected.steps.tolist()
    assert found.answers.tolist() == expected.answers.tolist()
    assert found.stopped.tolist() == expected.stopped.tolist()
    assert found.row_steps >= int(expected.steps.sum())


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("batching", BATCHINGS)
def test_an_input_alone_answers_as_among_others(rule: ExitRule, batching: Batching) -> None:
    x = list(3 * torch.randn(7, 9, CHANNELS, dtype=torch.float64))
    together = list(serve(NETWORKS["delays"], x, rule, batching, batch_size=3, block=2))
    for index, among in enumerate(together):
        *_, alone = follow(NETWORKS["delays"], x[index].split(1), rule)
        assert (among.index, among.answer, among.steps, among.stopped) == (index, alone.answer, alone.steps, alone.stopped)
        torch.testing.assert_close(among.evidence, alone.evidence)


@given(cuts=st.lists(st.integers(1, 4), min_size=1, max_size=9))
@settings(max_examples=20, deadline=None)
def test_chunks_do_not_matter(cuts: list[int]) -> None:
    x = 3 * torch.randn(sum(cuts), CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    whole = list(follow(NETWORKS["delays"], [x], RULES["never"]))
    pieces = list(follow(NETWORKS["delays"], x.split(cuts), RULES["never"]))
    assert [answer.answer for answer in pieces] == [answer.answer for answer in whole]
    assert [answer.steps for answer in pieces] == list(range(1, len(x) + 1))


def test_an_input_is_followed_until_it_stops_and_no_further() -> None:
    taken = []

    def chunks() -> Iterator[Tensor]:
        for chunk in scripted(5)[0].split(2):
            taken.append(len(chunk))
            yield chunk

    answers = list(follow(Echo().eval(), chunks(), SURE))
    assert [answer.stopped for answer in answers] == [False] * 4 + [True]
    assert len(taken) == 3  # steps 5 and 6 came together


def test_finished_rows_are_not_run() -> None:
    """Stops after 1, 2, 4 and 8 steps: 8 + 8 + 8 + 8 steps if all wait, 4 + 3 + 2 + 2 + 1 + 1 + 1 + 1 if they leave."""
    x = torch.stack(scripted(1, 2, 4, 8))
    work = {batching: run(Echo().eval(), x, SURE, batching, batch_size=4, block=1).row_steps for batching in BATCHINGS}
    assert work == {"wait": 32, "compact": 15, "refill": 15}


def test_the_next_input_takes_the_place_of_a_finished_one() -> None:
    model = Echo().eval()
    found = run(model, scripted(2, 4, 2, 1, 1), SURE, "refill", batch_size=2, block=1)
    assert found.steps.tolist() == [2, 4, 2, 1, 1]
    rows = [batch for batch, steps in model.calls if steps == 1][:5]
    # Beside two inputs, one row alone at rest whenever another enters.
    assert rows == [2, 2, 1, 2, 2]


def test_blocks_make_fewer_calls_and_the_same_decisions() -> None:
    stops = [1, 3, 4, 5, 8, 9]
    answers, calls = [], []
    for block in (1, 4):
        model = Echo().eval()
        answers.append([(a.steps, a.stopped) for a in serve(model, scripted(*stops), SURE, "wait", batch_size=6, block=block)])
        calls.append(len(model.calls) - 2)  # two runs look for hidden state
    assert answers[0] == answers[1] == [(1, True), (3, True), (4, True), (5, True), (8, True), (8, False)]
    assert calls == [8, 2]


@pytest.mark.parametrize("batching", BATCHINGS)
def test_requests_are_taken_as_there_is_room(batching: Batching) -> None:
    taken = 0

    def requests() -> Iterator[Tensor]:
        nonlocal taken
        for x in scripted(*[1, 5, 3] * 4):
            taken += 1
            yield x

    answers = serve(Echo().eval(), requests(), SURE, batching, batch_size=3, block=1, in_order=False)
    assert taken == 0
    for done, _ in enumerate(answers):
        assert taken - done <= 3
    assert taken == 12


def test_answers_come_in_order_or_as_they_are_there() -> None:
    x = scripted(5, 1, 3, 1)
    assert [answer.index for answer in serve(Echo().eval(), x, SURE, batch_size=2, block=1)] == [0, 1, 2, 3]
    assert [answer.index for answer in serve(Echo().eval(), x, SURE, batch_size=2, block=1, in_order=False)] == [1, 2, 0, 3]


def test_an_endless_stream_may_be_left() -> None:
    def endless() -> Iterator[Tensor]:
        while True:
            yield from scripted(2)

    answers = serve(Echo().eval(), endless(), SURE, batch_size=2)
    assert [next(answers).index for _ in range(5)] == [0, 1, 2, 3, 4]
    answers.close()  # type: ignore[attr-defined]
    assert torch.zeros(1, requires_grad=True).sum().requires_grad  # the caller's own mode is as before


@pytest.mark.parametrize("kept", [torch.zeros(1, 2).expand(8, 2), torch.zeros(8, 2)])
def test_states_that_a_network_shares_between_calls_are_not_written_to(kept: Tensor) -> None:
    class Constant(Echo):
        def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
            return x, kept[: len(x)] if valid is None else torch.ones(len(x), 2)  # one that rests has another state

    run(Constant().eval(), scripted(1, 2, 3, 4, 5), SURE, batch_size=2, block=1)
    assert not kept.any()


def test_states_of_the_caller_are_written_in_place() -> None:
    made: list[Tensor] = []
    same: list[bool] = []

    class Fresh(Echo):
        def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
            if state is not None:
                same.append(state.data_ptr() == made[-1].data_ptr())
            if valid is None:
                made.append(torch.zeros(len(x), 2))
            return x, torch.zeros(1, 2) if state is None and valid is not None else made[-1]

    run(Fresh().eval(), scripted(1, 3, 3, 3), SURE, batch_size=2, block=1)
    assert same[0]  # the first step after the second input took the place of the first


@pytest.mark.parametrize("batching", BATCHINGS)
@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_no_number_is_named(batching: Batching, block: int, value: float) -> None:
    x = scripted(2, 6, 6, 6)
    x[2][4] = value
    with pytest.raises(ValueError, match="NaN or an infinity from input 2 at step 5"):
        run(Echo().eval(), x, SURE, batching, batch_size=2, block=block)
    with pytest.raises(ValueError, match="from input 0 at step 5"):
        list(follow(Echo().eval(), x[2].split(block), SURE))


def test_what_comes_after_the_stop_or_the_end_is_not_looked_at() -> None:
    x = torch.stack(scripted(2, 9))
    x[0, 3] = x[1, 6] = torch.nan
    found = run(Echo().eval(), x, SURE, lengths=torch.tensor([8, 6]), block=4)
    assert found.steps.tolist() == [2, 6]


def test_results_are_ordinary_tensors() -> None:
    model = Echo().eval()
    found = run(model, scripted(1, 2), SURE)
    found.evidence.add_(1)
    for answer in [*serve(model, scripted(1, 2), SURE), *follow(model, scripted(2), SURE)]:
        answer.evidence.add_(1)
    assert not found.evidence.is_inference()


def test_an_empty_stream_has_no_answers() -> None:
    assert list(serve(Echo().eval(), [], SURE)) == []
    assert list(follow(Echo().eval(), [], SURE)) == []
    with pytest.raises(ValueError, match="expected at least one input"):
        run(Echo().eval(), [], SURE)


class Hidden(Echo):
    """Keeps its sum to itself, as stateful libraries do."""

    total: Any = 0

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        self.total = self.total + x.sum()
        return x + self.total, ()


def test_hidden_state_is_found() -> None:
    with pytest.raises(ValueError, match="hidden state between calls"):
        run(Hidden().eval(), scripted(1, 2), SURE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(batching="refil"), "batching: got 'refil'. Did you mean 'refill'"),
        (dict(batch_size=0), "batch_size"),
        (dict(block=0), "block"),
        (dict(batch_size=2.5), "batch_size: expected a whole number of at least 1, got 2.5"),
        (dict(block=2.0), "block: expected a whole number"),
        (dict(x=scripted(1, 2), lengths=torch.tensor([8, 8])), "lengths: expected none with an iterable of inputs"),
        (dict(lengths=torch.tensor([8.0, 4.0])), "lengths: expected 1 to 8 steps, got 4.0 to 8.0"),
        (dict(accumulation="total"), "accumulation: expected one of"),
        (dict(model=Echo()), "evaluation mode"),
        (dict(x=torch.zeros(3)), r"x: expected \[N, T"),
        (dict(x=[torch.zeros(4, 2), torch.zeros(4, 3)]), "input 1: expected steps of shape"),
        (dict(x=[torch.zeros(0, 2)]), "input 0"),
        (dict(lengths=torch.tensor([8, 9])), "lengths: expected 1 to 8 steps, got 8 to 9"),
        (dict(lengths=torch.tensor([8])), "lengths: expected"),
    ],
)
def test_bad_arguments_are_one_sentence(change: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = dict(model=Echo().eval(), x=torch.stack(scripted(1, 2)), rule=SURE)
    with pytest.raises(ValueError, match=words):
        run(**{**good, **change})


class Returning(Echo):
    """Returns what it is told to beside its outputs."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        return x, self.state


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (nn.Linear(2, 2), TypeError, r"expected forward\(x, state, valid\), got forward\(input"),
        (Returning(None), TypeError, "got None, which stands for the initial state"),
        (Returning(torch.zeros(1)), ValueError, r"state: expected tensors \[B=2, ...\], got \[1\]"),
        (Returning((torch.zeros(2, 3), torch.tensor(0.0))), ValueError, r"\[B=2, ...\], got \[\]"),
    ],
)
def test_a_network_without_a_state_of_its_rows_is_refused(model: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        run(model.eval(), scripted(1, 2), SURE)


@pytest.mark.parametrize("rule", ["margin", Margin])
def test_what_is_no_rule_is_refused(rule: Any) -> None:
    for start in (lambda: run(Echo().eval(), scripted(1), rule), lambda: list(follow(Echo().eval(), scripted(1), rule))):
        with pytest.raises(TypeError, match=r"rule: expected an exit rule, got (str|type)\. Give one such as"):
            start()


def test_a_block_ends_with_the_longest_input() -> None:
    model = Echo().eval()
    found = run(model, scripted(9, 2), SURE, block=10**9)
    assert (found.steps.tolist(), found.row_steps) == ([8, 2], 16)
