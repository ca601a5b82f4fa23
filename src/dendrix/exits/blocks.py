"""Blocks of steps of a running batch: network, evidence and rule, with one transfer of the decisions to the host per block."""

import inspect
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core import Evidence, State, Stateful, accumulate_step, leaves
from ..errors import InputError, InputTypeError
from .network import expect_outputs, expect_repeated
from .rules.base import ExitRule, RuleState


class Progress(NamedTuple):
    """State of a running batch: its rows are dropped, copied and replaced together."""

    network: State
    evidence: Evidence
    rule: RuleState


class Block(NamedTuple):
    """Results of k steps. Arrays [B, k] are on the host."""

    stops: Any
    """Whether the rule stops the row after this step, bool."""
    broken: Any
    """Whether the outputs of this step contain a NaN or an infinity, bool."""
    answers: Any
    """The class with the most evidence, int64."""
    evidence: Tensor
    """[B, k, K], on the device of the network."""
    progress: Progress


@torch.inference_mode()
def advance(model: Stateful, x: Tensor, rule: ExitRule, accumulation: str, progress: Progress | None) -> Block:
    """Run x [B, k, ...] from a state (None: from rest) and apply the rule to every step."""
    given = model(x, None if progress is None else progress.network)
    outputs, network = expect_outputs(given, x), given[1]
    if progress is None:
        _expect_rows(network, len(x))
    evidence, kept = _gather(rule, outputs, None if progress is None else progress.evidence, accumulation)
    stops, judged = _judge(rule, evidence, rule.init(len(x), x.device) if progress is None else progress.rule)
    broken = ~outputs.isfinite().all(-1)
    codes = (evidence.argmax(-1) * 4 + broken * 2 + stops).cpu().numpy()
    return Block((codes & 1).astype(bool), (codes & 2).astype(bool), codes >> 2, evidence, Progress(network, kept, judged))


@torch.inference_mode()
def at_rest(model: Stateful, x_t: Tensor, rule: ExitRule, accumulation: str) -> Progress:
    """State of one row before its first step, for inputs like x_t [1, ...]: an invalid step leaves any network at rest."""
    nothing = torch.zeros(1, 1, dtype=torch.bool, device=x_t.device)
    outputs, network = model(x_t.unsqueeze(1), None, nothing)
    return Progress(network, Evidence.none(outputs[:, 0], accumulation), rule.init(1, x_t.device))


def expect_running(model: Stateful, rule: ExitRule) -> None:
    """Check that a rule and a network can run: the network takes a state, and is in evaluation mode, so that rows do not interact."""
    if not isinstance(rule, ExitRule):
        raise InputTypeError(f"rule: expected an exit rule, got {type(rule).__name__}. Give one such as Margin(2.0), or policy.rule.")
    signature = inspect.signature(model.forward)
    try:
        signature.bind("x", "state", "valid")
    except TypeError as error:
        raise InputTypeError(f"model: expected forward(x, state, valid), got forward{signature}. See dendrix.core.Stateful.") from error
    if model.training:
        raise InputError("model: expected a network in evaluation mode, got one in training mode. Call model.eval() first.")


@torch.inference_mode()
def expect_rows_alone(model: Stateful, x: Tensor) -> bool:
    """Check by two runs of x [1, T, ...] that a network keeps no state between calls, because its rows could not be exchanged.

    Returns:
        whether a state that it returns may be overwritten: no part of it shares memory with another part or with the other run.
    """
    first, second = model(x), model(x)
    expect_repeated(expect_outputs(first, x), expect_outputs(second, x))
    states = (first[1], second[1])
    if any(state is None for state in states):
        return False
    memory = [part.untyped_storage().data_ptr() for part in leaves(states)]
    return len(memory) == len(set(memory))


def _expect_rows(state: State, batch: int) -> None:
    """Check that every part of a state has one row per input."""
    if state is None:
        raise InputTypeError(
            "state: expected the next state of the network, got None, which stands for the initial state. Return () for no state."
        )
    for part in leaves(state):
        if not part.dim() or len(part) != batch:
            raise InputError(f"state: expected tensors [B={batch}, ...], got {list(part.shape)}. Each input has a row of its own.")


def not_finite(index: int, step: int) -> InputError:
    """The error for outputs that are NaN or infinite."""
    return InputError(
        f"outputs: expected finite numbers, got a NaN or an infinity from input {index} at step {step}. Check the input and the weights."
    )


def _gather(rule: ExitRule, outputs: Tensor, state: Evidence | None, accumulation: str) -> tuple[Tensor, Evidence]:
    """Evidence after each step, [B, k, K], and the next state; accumulated step by step, so that the result does not depend on k."""
    state = Evidence.none(outputs[:, 0], accumulation) if state is None else state
    parts = []
    for outputs_t in outputs.unbind(1):
        evidence_t, state = accumulate_step(rule.weigh(outputs_t), state, accumulation)
        parts.append(evidence_t)
    return torch.stack(parts, 1), state


def _judge(rule: ExitRule, evidence: Tensor, state: RuleState) -> tuple[Tensor, RuleState]:
    """Whether the rule stops each row at each step, bool [B, k], and its next state."""
    batch, steps = evidence.shape[:2]
    if isinstance(state.memory, tuple) and not state.memory:
        # A rule without memory takes all steps as rows, in one call.
        before = state.steps.unsqueeze(1) + torch.arange(steps, device=evidence.device)
        flat, _ = rule.step(evidence.flatten(0, 1), RuleState(before.flatten(), ()))
        return flat.view(batch, steps), RuleState(state.steps + steps, ())
    flags = []
    for evidence_t in evidence.unbind(1):
        stop, state = rule.step(evidence_t, state)
        flags.append(stop)
    return torch.stack(flags, 1), state
