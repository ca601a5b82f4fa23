"""Dendritic segments: coincidence detectors that recognise sparse binary codes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...core import ATan, State, Stateful, expect, expect_count, expect_dtype, expect_function, expect_valid, zero_invalid
from ...errors import InputError
from .theory import MatchTheory, match_theory


class DendriticSegments(Stateful):
    """Segments that match when at least theta of their s synapses are active, [B, T, C] -> {0, 1} [B, T, S].

    Each segment could listen to all n = C inputs and is connected to the s of highest permanence, so it always has exactly s binary
    synapses, as the theory wants it. Training moves the permanences: the overlap's gradient passes straight through the connection,
    and that of the threshold through a surrogate.

    Args:
        size: inputs, n.
        segments: number of segments, S.
        synapses: s, of each segment.
        theta: active synapses that make a match.
        spike: the threshold, applied to (overlap - theta) / theta.
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
        """Which inputs each segment listens to, {0, 1} [S, C]."""
        largest = self.permanence.topk(self.synapses, sorted=False).indices
        connected = torch.zeros_like(self.permanence).scatter(1, largest, 1)
        return connected + (self.permanence - self.permanence.detach())  # adds zero; the gradient passes straight through

    @torch.no_grad()
    def store_(self, codes: Tensor) -> None:
        """Connect segment i to a random s of the active cells of code i, one-shot learning.

        Args:
            codes: one for each segment, {0, 1} [S, C], with at least s active cells.
        """
        expect(codes, "S C", "codes", S=self.segments, C=self.size)
        if int((codes > 0).sum(1).min()) < self.synapses:
            raise InputError(
                f"codes: expected at least {self.synapses} active cells in each, got fewer. Use fewer synapses or denser codes."
            )
        self.permanence.copy_(torch.rand_like(self.permanence) / 2 + (codes > 0) / 2)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.size)
        expect_dtype(x, self.permanence)
        expect_valid(valid, x)
        overlap = nn.functional.linear(zero_invalid(x, valid), self.connected())
        return zero_invalid(self.spike((overlap - self.theta) / self.theta), valid), ()

    def theory(self, active: int, moved: int = 0) -> MatchTheory:
        """How often a segment matches a random code, and how often it misses the code it stores.

        Args:
            active: active cells of a code.
            moved: how many of them are elsewhere this time.
        """
        return match_theory(self.size, active, self.synapses, self.theta, moved)

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, segments=self.segments, synapses=self.synapses, theta=self.theta, spike=self.spike)
