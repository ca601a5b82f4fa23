"""Active dendrites: segments that gate units depending on a context."""

from typing import Any

import torch
from torch import Tensor

from ...core import State, Stateful, expect, expect_count, expect_dtype, expect_floating, expect_in, expect_valid, zero_invalid
from ...errors import InputError
from ..sparse import SparseLinear
from .theory import MatchTheory, match_theory


class ActiveDendrites(Stateful):
    """Gate every unit by its segment with the strongest response to a context, [B, T, C] -> [B, T, C].

    y = x * sigmoid(d_j*),  d_j = u_j . context,  j* = argmax_j |d_j|

    The gate depends on the signed response, so a segment can open or close it. Only the selected segment has a gradient: training on one
    context changes one segment of each unit.

    Args:
        size: number of units, C.
        context_size: width of the context, D.
        segments: number of segments per unit.
        density: fraction of the context to which a segment is connected.
        context_density: expected fraction of active context cells, which scales the initial weights.
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
        """Compute the gates, context [..., D] -> [..., C], between 0 and 1."""
        expect_dtype(context, self.response.weight, "context")
        if context.dim() < 1 or context.shape[-1] != self.context_size:
            raise InputError(f"context: expected [..., {self.context_size}], got {list(context.shape)}. Build the layer for this width.")
        weight, shape = self.response.dense_weight(), (*context.shape[:-1], self.size, self.segments)
        if context[..., 0].numel() > self.segments:
            responses = torch.nn.functional.linear(context, weight).view(shape)
            strongest = responses.detach().abs().argmax(-1, keepdim=True)
            return responses.gather(-1, strongest).squeeze(-1).sigmoid()
        # For few contexts, select the weights of the winners first: the backward pass then computes their gradients only.
        with torch.no_grad():
            responses = torch.nn.functional.linear(context, weight).view(shape)
            strongest = responses.abs().argmax(-1) + torch.arange(0, weight.shape[0], self.segments, device=weight.device)
        winners = torch.nn.functional.embedding(strongest, weight)
        return (winners @ context.unsqueeze(-1)).squeeze(-1).sigmoid()

    def step(self, x_t: Tensor, state: State = None, context: Tensor | None = None) -> tuple[Tensor, State]:
        """Compute one time step, x_t [B, C], with its context [B, D]."""
        expect(x_t, "B C", "x_t")
        y, state = self(x_t.unsqueeze(1), state, None, context if context is None else context.unsqueeze(1))
        return y.squeeze(1), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None, context: Tensor | None = None) -> tuple[Tensor, State]:
        """Compute a sequence with a context [B, T, D], whose axes B and T may have length 1 for all rows or steps."""
        expect(x, "B T C", C=self.size)
        expect_floating(x)
        expect_valid(valid, x)
        if context is None:
            raise InputError(f"context: expected [B, T, {self.context_size}], got None. Pass the input of the segments.")
        expect(context, "B T D", "context", D=self.context_size)
        if any(has not in (1, needs) for has, needs in zip(context.shape[:2], x.shape[:2], strict=True)):
            raise InputError(
                f"context: expected B, T of {list(x.shape[:2])} or 1, got {list(context.shape[:2])}. Pass one per step, or one for all."
            )
        if valid is not None and context.shape[:2] == x.shape[:2]:
            context = zero_invalid(context, valid)
        return zero_invalid(x, valid) * self.gate(context), ()

    def theory(self, active: int, theta: int, moved: int = 0) -> MatchTheory:
        """Predict how often a gate opens to sigmoid(theta) or more, for binary contexts and synapses with weight one.

        Args:
            active: number of active cells of a context.
            theta: number of active synapses that makes a match.
            moved: number of active cells of a known context that have changed.
        """
        return match_theory(self.context_size, active, self.response.synapses, theta, moved, self.segments)

    def arguments(self) -> dict[str, Any]:
        synapses, sizes = self.response.arguments(), dict(size=self.size, context_size=self.context_size, segments=self.segments)
        return dict(**sizes, density=synapses["density"], context_density=synapses["expected_density"])
