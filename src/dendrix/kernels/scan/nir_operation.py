"""The place of the neurons of NIR in the kernel table: numba on the CPU, Triton on CUDA."""

from dataclasses import astuple
from typing import Any

import torch
from torch import Tensor

from ...core import State, StepFn, kernel
from ...neurons.nir import membrane_step, synapse_step
from .operation import SURROGATES, fused_scan, reason_against

_MEMBRANE = ("beta", "q", "c", "v_threshold")
_SYNAPSE = ("alpha", "g", "p")
_DEFAULTS = {"q": 1.0, "c": 0.0, "g": 1.0}


def _register(rule: StepFn, synapse: tuple[str, ...]) -> None:
    """Put the fused scan of a rule into the kernel table."""

    def refuses(x: Tensor, state: State, valid: Tensor | None = None, **given: Any) -> str | None:
        return _reason_against(x, state, given)

    def fused(x: Tensor, state: State, valid: Tensor | None = None, **given: Any) -> tuple[Tensor, State]:
        return _run(rule.__name__, x, state, valid, given, synapse)

    fused.__name__ = rule.__name__  # for run records
    for device in ("cpu", "cuda"):
        kernel(rule, device, refuses)(fused)


def _reason_against(x: Tensor, state: State, given: dict[str, Any]) -> str | None:
    if reason := reason_against(x):
        return reason
    tensors = [value for value in given.values() if isinstance(value, Tensor)]
    if any(part.dtype != torch.float32 or part.shape != x.shape[:1] + x.shape[2:] for part in state):
        return "the state is not float32, or not shaped like a step of x"
    if any(value.dtype != torch.float32 or value.requires_grad for value in tensors):
        return "a coefficient is not float32, or trains"
    if any(value.dim() > x.dim() - 2 for value in tensors):
        return "a coefficient differs between rows"
    if given["v_threshold"] is None or given["v_min"] is not None or given["grid"] is not None or given["fires"] == "floor":
        return "an integrator, a bound, truncation or several spikes in a step"
    return None if type(given["spike"]) in SURROGATES else f"no fused surrogate {type(given['spike']).__name__}"


def _run(name: str, x: Tensor, state: State, valid: Tensor | None, given: dict[str, Any], synapse: tuple[str, ...]) -> tuple[Tensor, State]:
    after_x = x.shape[2:]
    hard = given["v_reset"] is not None
    names = (*_MEMBRANE, "v_reset" if hard else "rho", *synapse)
    values = [_DEFAULTS[key] if given[key] is None else given[key] for key in names]
    columns = [torch.as_tensor(value, dtype=torch.float32, device=x.device).expand(after_x).flatten() for value in values]
    if valid is None:
        valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    flags, constants = [hard, given["detach_reset"], given["fires"] == ">"], [0.0, 0.0, 1.0, astuple(given["spike"])[0]]
    start = torch.stack([part.flatten(1) for part in state])
    y, end, _ = fused_scan(x.flatten(2), start, torch.stack(columns), valid, name, flags, constants, type(given["spike"]).__name__)
    parts = [part.unflatten(1, after_x).clone() for part in end.unbind(0)]
    return y.unflatten(2, after_x), type(state)(*parts)


_register(membrane_step, ())
_register(synapse_step, _SYNAPSE)
