"""Linear layer with sparse weights."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_count, expect_dtype, expect_flag, expect_in, expect_valid, zero_invalid
from .dendrites.theory import MatchTheory, match_theory


class SparseLinear(Stateful):
    """Linear layer with sparse weights, [B, T, C] -> [B, T, H]: every output is connected to the same number of random inputs.

    Only nonzero weights are stored and trained, so the connections never change. Their indices, `inputs`, are a buffer and part of the
    `state_dict`. With a density of 1, the layer is a dense linear layer.

    Args:
        in_features: channels in, C.
        out_features: channels out, H.
        density: fraction of the inputs to which an output is connected.
        expected_density: expected fraction of active inputs; sparse inputs get larger initial weights.
        bias: add a bias.
    Source: Iyer et al. (2021), bioRxiv 2021.10.25.465651: initial weights U(-b, b), b = 1 / sqrt(expected_density * density * C).
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
        """Return the weights as a dense matrix, [H, C]."""
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
        """Predict how often theta synapses of an output are active by chance, and how often fewer are active for a known code.

        Args:
            active: number of active inputs of a code.
            theta: number of active synapses that makes a match.
            moved: number of active inputs of the known code that have changed.
        """
        return match_theory(self.in_features, active, self.synapses, theta, moved)

    def arguments(self) -> dict[str, Any]:
        sizes = dict(in_features=self.in_features, out_features=self.out_features)
        return dict(**sizes, density=self._density, expected_density=self._expected_density, bias=self.bias is not None)
