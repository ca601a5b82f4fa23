"""Active dendrites: segments that read a context and decide how much of each unit's activity passes."""

from typing import Any

import torch
from torch import Tensor

from ...core import State, Stateful, expect, expect_count, expect_dtype, expect_floating, expect_in, expect_valid, zero_invalid
from ...errors import InputError
from ..sparse import SparseLinear
from .theory import MatchTheory, match_theory


class ActiveDendrites(Stateful):
    """Gate every unit by the one of its segments that responds most strongly to a context, [B, T, C] -> [B, T, C].

    y = x * sigmoid(d_j*),  d_j = u_j . context,  j* = argmax_j |d_j|

    The gate takes the signed response, so a segment can silence its unit as well as let it through. Only the winning segment gets a
    gradient: one context writes into one segment of each unit and leaves what others know alone.

    Args:
        size: number of units, C.
        context_size: width of the context, D.
        segments: segments of each unit.
        density: share of the context that a segment listens to.
        context_density: share of the context that is active at a time; sets the size of the weights at the start.
    Source: Iyer et al. (2021), bioRxiv 2021.10.25.465651.
    """

    def __init__(self, size: int, context_size: int, segments: int, *, density: float = 1.0, context_density: float = 0.1):
        super().__init__()
        self.size = expect_count(size, "[1, inf)", "size")
        self.context_size = expect_count(context_size, "[1, inf)", "context_size")
        self.segments = expect_count(segments, "[1, inf)", "segments")
        expect_in(context_density, "(0, 1]", "context_density")
        count = self.size * self.segments
        self.response = SparseLinear(self.context_size, count, density, expected_density=context_density, bias=False)

    def gate(self, context: Tensor) -> Tensor:
        """How much of each unit passes: context [..., D] -> [..., C], each between 0 and 1."""
        expect_dtype(context, self.response.weight, "context")
        if context.dim() < 1 or context.shape[-1] != self.context_size:
            raise InputError(f"context: expected [..., {self.context_size}], got {list(context.shape)}. Build the layer for this width.")
        weight, shape = self.response.dense_weight(), (*context.shape[:-1], self.size, self.segments)
        if context[..., 0].numel() > self.segments:
            responses = torch.nn.functional.linear(context, weight).view(shape)
            strongest = responses.detach().abs().argmax(-1, keepdim=True)
            return responses.gather(-1, strongest).squeeze(-1).sigmoid()
        # For a few contexts the winners' weights are fewer than all weights: the gradient then passes through them alone.
        with torch.no_grad():
            responses = torch.nn.functional.linear(context, weight).view(shape)
            strongest = responses.abs().argmax(-1) + torch.arange(0, weight.shape[0], self.segments, device=weight.device)
        winners = torch.nn.functional.embedding(strongest, weight)
        return (winners @ context.unsqueeze(-1)).squeeze(-1).sigmoid()

    def step(self, x_t: Tensor, state: State = None, context: Tensor | None = None) -> tuple[Tensor, State]:
        """One time step, x_t [B, C], with its context [B, D]."""
        expect(x_t, "B C", "x_t")
        y, state = self(x_t.unsqueeze(1), state, None, context if context is None else context.unsqueeze(1))
        return y.squeeze(1), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None, context: Tensor | None = None) -> tuple[Tensor, State]:
        """As every layer, with a context [B, T, D]; a length of 1 in B or T stands for all rows or steps."""
        expect(x, "B T C", C=self.size)
        expect_floating(x)
        expect_valid(valid, x)
        if context is None:
            raise InputError(f"context: expected [B, T, {self.context_size}], got None. Pass what the segments read.")
        expect(context, "B T D", "context", D=self.context_size)
        if any(has not in (1, needs) for has, needs in zip(context.shape[:2], x.shape[:2], strict=True)):
            raise InputError(
                f"context: expected B, T of {list(x.shape[:2])} or 1, got {list(context.shape[:2])}. Give each row its own or one for all."
            )
        if valid is not None and context.shape[:2] == x.shape[:2]:
            context = zero_invalid(context, valid)
        return zero_invalid(x, valid) * self.gate(context), ()

    def theory(self, active: int, theta: int, moved: int = 0) -> MatchTheory:
        """How often a unit's gate opens to sigmoid(theta) or more, for binary contexts and segments whose synapses have weight one.

        Args:
            active: active cells of a context.
            theta: active synapses of a segment that count as a match.
            moved: how many active cells of a known context are elsewhere this time.
        """
        return match_theory(self.context_size, active, self.response.synapses, theta, moved, self.segments)

    def arguments(self) -> dict[str, Any]:
        synapses, sizes = self.response.arguments(), dict(size=self.size, context_size=self.context_size, segments=self.segments)
        return dict(**sizes, density=synapses["density"], context_density=synapses["expected_density"])
