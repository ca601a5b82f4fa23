"""A linear layer most of whose weights do not exist."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_count, expect_dtype, expect_flag, expect_in, expect_valid, zero_invalid
from .dendrites.theory import MatchTheory, match_theory


class SparseLinear(Stateful):
    """A linear layer, [B, T, C] -> [B, T, H], in which every output listens to the same number of random inputs.

    Only the weights that exist are stored and trained, so no optimiser, momentum or weight decay can bring the others to life; which they
    are, `inputs`, is a buffer and travels with the `state_dict`. At a density of 1 it is a plain linear layer.

    Args:
        in_features: channels in, C.
        out_features: channels out, H.
        density: share of the inputs that an output listens to.
        expected_density: share of the inputs that are active at a time; the weights start larger for sparse inputs.
        bias: whether to add one.
    Source: Iyer et al. (2021), bioRxiv 2021.10.25.465651: weights start as U(-b, b), b = 1 / sqrt(expected_density * density * C).
    """

    inputs: Tensor | None

    def __init__(self, in_features: int, out_features: int, density: float = 0.5, *, expected_density: float = 1.0, bias: bool = True):
        super().__init__()
        self.in_features = in_features = expect_count(in_features, "[1, inf)", "in_features")
        self.out_features = out_features = expect_count(out_features, "[1, inf)", "out_features")
        self._density = expect_in(density, "(0, 1]", "density")
        self._expected_density = expect_in(expected_density, "(0, 1]", "expected_density")
        self.synapses = max(1, round(density * in_features))
        bound = 1 / math.sqrt(expected_density * self.synapses)
        self.weight = nn.Parameter(torch.empty(out_features, self.synapses).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound)) if expect_flag(bias, "bias") else None
        chosen = None
        if self.synapses < in_features:
            chosen = torch.rand(out_features, in_features).topk(self.synapses).indices.sort().values
        self.register_buffer("inputs", chosen)

    def dense_weight(self) -> Tensor:
        """The weights with zeros where there is none, [H, C]."""
        if self.inputs is None:
            return self.weight
        return self.weight.new_zeros(self.out_features, self.in_features).scatter(1, self.inputs, self.weight)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.in_features)
        expect_dtype(x, self.weight)
        expect_valid(valid, x)
        y = nn.functional.linear(zero_invalid(x, valid), self.dense_weight(), self.bias)
        return zero_invalid(y, valid), ()

    def theory(self, active: int, theta: int, moved: int = 0) -> MatchTheory:
        """How often theta of an output's synapses are active by chance, and how often fewer are for a code that they all knew.

        Args:
            active: active inputs of a code.
            theta: active synapses that count as a match.
            moved: how many active inputs of the known code are elsewhere this time.
        """
        return match_theory(self.in_features, active, self.synapses, theta, moved)

    def arguments(self) -> dict[str, Any]:
        sizes = dict(in_features=self.in_features, out_features=self.out_features)
        return dict(**sizes, density=self._density, expected_density=self._expected_density, bias=self.bias is not None)
