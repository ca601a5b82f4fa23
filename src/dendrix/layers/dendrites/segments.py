"""Dendritic segments: coincidence detectors that recognise sparse binary codes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...core import ATan, State, Stateful, expect, expect_count, expect_dtype, expect_function, expect_valid, zero_invalid
from ...errors import InputError
from .theory import MatchTheory, match_theory


class DendriticSegments(Stateful):
    """Segments that match if at least theta of their s synapses are active, [B, T, C] -> {0, 1} [B, T, S].

    Each segment is connected to the s inputs, of n = C, with the highest permanence, and thus always has s binary synapses, as the theory
    assumes. Training changes the permanences, with a straight-through gradient for the connections and a surrogate for the threshold.

    Args:
        size: number of inputs, n.
        segments: number of segments, S.
        synapses: number of synapses per segment, s.
        theta: number of active synapses that makes a match.
        spike: Heaviside step with a surrogate gradient, applied to (overlap - theta) / theta.
    Source: match and theory, Ahmad & Hawkins (2016), arXiv 1601.00720, equation 1; permanences, Hawkins & Ahmad (2016), Front. Neural
        Circuits 10:23; the straight-through gradient to the highest scores, Ramanujan et al. (2020), arXiv 1911.13299.
    """

    def __init__(self, size: int, segments: int, synapses: int, theta: int, spike: Callable[[Tensor], Tensor] = ATan()):
        super().__init__()
        self.size = expect_count(size, "[1, inf)", "size")
        self.segments = expect_count(segments, "[1, inf)", "segments")
        self.synapses = expect_count(synapses, f"[1, {size}]", "synapses")
        self.theta = expect_count(theta, f"[1, {synapses}]", "theta")
        self.spike: Callable[[Tensor], Tensor] = expect_function(spike, "spike", "ATan()")
        self.permanence = nn.Parameter(torch.rand(self.segments, self.size))

    def connected(self) -> Tensor:
        """Return the connections of each segment, {0, 1} [S, C], with a straight-through gradient."""
        largest = self.permanence.topk(self.synapses, sorted=False).indices
        connected = torch.zeros_like(self.permanence).scatter(1, largest, 1)
        return connected + (self.permanence - self.permanence.detach())  # adds zero, with the gradient of the identity

    @torch.no_grad()
    def store_(self, codes: Tensor) -> None:
        """Store codes by one-shot learning: connect segment i to s random active cells of code i.

        Args:
            codes: one code per segment, {0, 1} [S, C], with at least s active cells.
        """
        expect(codes, "S C", "codes", S=self.segments, C=self.size)
        if int((codes > 0).sum(1).min()) < self.synapses:
            raise InputError(
                f"codes: expected at least {self.synapses} active cells per code, got fewer. Use fewer synapses or denser codes."
            )
        self.permanence.copy_(torch.rand_like(self.permanence) / 2 + (codes > 0) / 2)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.size)
        expect_dtype(x, self.permanence)
        expect_valid(valid, x)
        overlap = nn.functional.linear(zero_invalid(x, valid), self.connected())
        return zero_invalid(self.spike((overlap - self.theta) / self.theta), valid), ()

    def theory(self, active: int, moved: int = 0) -> MatchTheory:
        """Predict how often a segment matches a random code, and how often it misses its stored code.

        Args:
            active: number of active cells of a code.
            moved: number of active cells of the stored code that have changed.
        """
        return match_theory(self.size, active, self.synapses, self.theta, moved)

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, segments=self.segments, synapses=self.synapses, theta=self.theta, spike=self.spike)
