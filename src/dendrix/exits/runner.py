"""Runs with early exits: of a batch, a stream of requests, or one input that is still arriving."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from ..core import ACCUMULATIONS, Stateful, expect, expect_one_of
from ..errors import InputError
from .batching import Answer, Batch, Batching, Finished, ToEnd, never
from .blocks import advance, expect_running, not_finite
from .decisions import Decisions
from .rows import Padded, Rows, compiled_rows, cut, padded
from .rules.base import ExitRule


@dataclass(frozen=True)
class Answers(Decisions):
    """Exit step and answer of N inputs, in the order of the inputs."""

    evidence: Tensor
    """Evidence at the exit, [N, K]."""
    row_steps: int
    """Number of steps that the network ran, summed over rows; without early exits it would be the sum of all lengths."""


def run(
    model: Stateful,
    x: Tensor | Iterable[Tensor],
    rule: ExitRule,
    batching: Batching = "refill",
    accumulation: str = "sum",
    lengths: Tensor | None = None,
    batch_size: int = 64,
    block: int = 8,
) -> Answers:
    """Run a network over many inputs, each until the rule stops it or it ends.

    A network with a compiled loop, see the kernel `run_until`, runs every input to its own stop, and ignores `batching` and `block`.

    The answers equal those of every input run alone, and those of `decide` on a record, except where two scores or two classes differ by
    less than rounding, because matrix products of another size round differently.

    Args:
        model: a network in evaluation mode.
        x: inputs [N, T, ...], or an iterable of inputs [T_i, ...] that differ in length.
        rule: the exit rule.
        batching: "wait" runs all rows of a batch until the last one has stopped; "compact" drops finished rows; "refill" also puts
            the next input in their place, from rest.
        accumulation: how outputs become evidence, as in `accumulate`.
        lengths: steps of each input of a tensor x, int64 [N]; None if all have T.
        batch_size: number of inputs that run at once.
        block: number of steps that the network runs in one call. The rule is applied to every step, so decisions do not depend on it; a
            larger block makes fewer calls and runs at most block - 1 steps too many for each input.
    Raises:
        ValueError: the network is in training mode or gives a NaN or an infinity, or an argument is out of range.
    """
    running = _Running(model, rule, batching, accumulation, batch_size, block)
    parts = list(running.finished(*_inputs(x, lengths)))
    if not parts:
        raise InputError("x: expected at least one input, got none. For streams that may be empty use serve.")
    indices, *fields, _ = zip(*parts, strict=True)
    order = torch.tensor([*chain.from_iterable(indices)]).argsort()
    answers, steps, stopped, evidence = (torch.cat(field)[order.to(field[0].device)] for field in fields)
    return Answers(steps=steps, answers=answers, stopped=stopped, evidence=evidence, row_steps=(running.rows or running.batch).row_steps)


def serve(
    model: Stateful,
    requests: Iterable[Tensor],
    rule: ExitRule,
    batching: Batching = "refill",
    accumulation: str = "sum",
    batch_size: int = 64,
    block: int = 8,
    in_order: bool = True,
) -> Iterator[Answer]:
    """Answer a stream of requests as it arrives; see `run` for the arguments.

    Args:
        requests: inputs [T_i, ...]; the next one is taken only when a row is free, so at most `batch_size` are open.
        in_order: whether an answer waits for those of earlier requests, or is yielded at once.
    """
    found = serve_with_ends(model, requests, rule, never, batching, accumulation, batch_size, block, in_order)
    return (answer for answer, _ in found)


def serve_with_ends(
    model: Stateful,
    requests: Iterable[Tensor],
    rule: ExitRule,
    to_end: ToEnd,
    batching: Batching = "refill",
    accumulation: str = "sum",
    batch_size: int = 64,
    block: int = 8,
    in_order: bool = True,
) -> Iterator[tuple[Answer, Answer | None]]:
    """Answer a stream as `serve`, where some inputs go on from the state of their exit to their end: yields both answers of these.

    Args:
        to_end: whether an input, by its number, runs on. It is called once for each, in order, before its exit.
    """
    answers = _each(_Running(model, rule, batching, accumulation, batch_size, block), requests, to_end)
    return _ordered(answers) if in_order else answers


def follow(
    model: Stateful, chunks: Iterable[Tensor], rule: ExitRule, accumulation: str = "sum", *, to_end: bool = False
) -> Iterator[Answer]:
    """Run one input while it arrives, and yield an answer after each step, up to the step at which the rule stops.

    The loop over the answers may be left at any time. After the stop no further chunk is requested, unless `to_end` is set.

    Args:
        model: a network in evaluation mode.
        chunks: the input in pieces of one or more steps, [T_i, ...]; the network runs once for each piece.
        rule: the exit rule.
        accumulation: how outputs become evidence, as in `accumulate`.
        to_end: go on from the state at the stop to the end of the input. The answer of the exit is then the first that is stopped, and that
            of the full run the last one.
    """
    expect_running(model, rule)
    progress, step = None, 0
    for chunk in chunks:
        expect(chunk, "T ...", "chunk")
        block = advance(model, chunk.unsqueeze(0), rule, accumulation, progress)
        progress = block.progress
        for stop, broken, answer, evidence in zip(block.stops[0], block.broken[0], block.answers[0], block.evidence[0], strict=True):
            step += 1
            if broken:
                raise not_finite(0, step)
            yield Answer(0, int(answer), step, bool(stop), evidence.clone())
            if stop and not to_end:
                return


class _Running:
    """Inputs that are run by the compiled loop of a network, where there is one for the first of them, otherwise by its modules."""

    def __init__(self, model: Stateful, rule: ExitRule, batching: Batching, accumulation: str, batch_size: int, block: int):
        expect_running(model, rule)
        expect_one_of(batching, get_args(Batching), "batching")
        expect_one_of(accumulation, ACCUMULATIONS, "accumulation")
        for name, value in (("batch_size", batch_size), ("block", block)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name}: expected a whole number of at least 1, got {value!r}.")
        self.batch = Batch(model, rule, batching, accumulation, batch_size, block)
        self.rows: Rows | None = None

    def finished(self, inputs: Iterator[Tensor], whole: Padded | None = None, to_end: ToEnd = never) -> Iterator[Finished]:
        """Answer inputs, [T_i, ...]; `whole` holds the same inputs as one tensor, if they came as one."""
        first, batch = list(islice(inputs, 1)), self.batch
        if first:
            self.rows = compiled_rows(batch.model, first[0], batch.rule, batch.accumulation)
        inputs = chain(first, inputs)
        if self.rows:
            return self.rows.finished(padded(inputs, batch.size) if whole is None else cut(whole, batch.size), to_end)
        return batch.finished(inputs, to_end)


def _inputs(x: Tensor | Iterable[Tensor], lengths: Tensor | None) -> tuple[Iterator[Tensor], Padded | None]:
    """Inputs one by one; and as one tensor with their lengths, if they came as one."""
    if not isinstance(x, Tensor):
        if lengths is not None:
            raise InputError("lengths: expected none with an iterable of inputs. Cut each input where it ends.")
        return iter(x), None
    expect(x, "N T ...")
    if lengths is None:
        return iter(x.unbind(0)), (x, np.full(len(x), x.shape[1]))
    expect(lengths, "N", "lengths", N=len(x))
    ends = lengths.tolist()
    if not all(isinstance(end, int) and 0 < end <= x.shape[1] for end in ends):
        raise InputError(f"lengths: expected 1 to {x.shape[1]} steps, got {min(ends)} to {max(ends)}. Check how the batch was padded.")
    return (row[:end] for row, end in zip(x.unbind(0), ends, strict=True)), (x, np.array(ends))


def _each(running: _Running, requests: Iterable[Tensor], to_end: ToEnd) -> Iterator[tuple[Answer, Answer | None]]:
    """Answers of inputs, those of the chosen ones with the answers at their ends."""
    chosen: set[int] = set()
    exits: dict[int, Answer] = {}

    def choose(index: int) -> bool:
        if wanted := to_end(index):
            chosen.add(index)
        return wanted

    for part in running.finished(iter(requests), to_end=choose):
        for answer in part.each():
            if answer.index not in chosen:
                yield answer, None
            elif part.whole:
                chosen.remove(answer.index)
                yield exits.pop(answer.index), answer
            else:
                exits[answer.index] = answer


def _ordered(answers: Iterator[tuple[Answer, Answer | None]]) -> Iterator[tuple[Answer, Answer | None]]:
    early: dict[int, tuple[Answer, Answer | None]] = {}
    following = 0
    for answer in answers:
        early[answer[0].index] = answer
        while following in early:
            yield early.pop(following)
            following += 1
