"""Sparse codes of hidden spikes: counts in bins relative to the speech, whitening in closed form, and k winners of on and off cells.

    x = spikes of each neuron in each of B bins;   z = P (x - mu);   the code holds the largest tenth of [z, -z]

Each step also works alone: counts of any network, whitening of any features [N, D], winners of any z.
"""

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ..core import State, expect, expect_count, expect_in
from ..energy.spike_outputs import spikes as spikes_of
from ..errors import InputError
from ..layers import Sequential
from ..neurons import LI
from ..sdr import SDR
from .speech import Span

Features = NDArray[np.float32]


@torch.no_grad()
def hidden_spikes(
    network: nn.Module, x: Tensor, state: State = None, valid: Tensor | None = None, layers: int | None = None
) -> tuple[Tensor, State]:
    """Run a network and return the spikes of its hidden layers, {0, 1} [B, T, H], the layers side by side, and its state.

    Args:
        network: `Stateful` network in evaluation mode; its spiking layers are those of `energy.spike_outputs`.
        x: inputs, [B, T, C].
        state: state before them; None from rest.
        valid: bool [B, T], or None.
        layers: largest number of layers, counted from the last one; None takes all.
    Raises:
        InputError: the network has no spiking layer.
    """
    heard: list[Tensor] = []

    def keep(module: nn.Module, given: Any, y: Any) -> None:
        if (found := spikes_of(module, {"x": given[0]}, y)) is not None:
            heard.append((found != 0).float())

    silent = spikes_of.dispatch(object)
    with contextlib.ExitStack() as hooks:
        for part in network.modules():
            if spikes_of.dispatch(type(part)) is not silent:
                hooks.callback(part.register_forward_hook(keep).remove)
        _, state = network(x, state, valid)
    if not heard:
        raise InputError(f"network: expected one with spiking layers, got none in {type(network).__name__}. Choose another.")
    count = len(heard) if layers is None else expect_count(layers, "[1, inf)", "layers")
    return torch.cat(heard[-count:], -1), state


def bin_edges(span: Span, bins: int) -> list[int]:
    """Return the first frame of each of B bins of equal length, and the end of the last one; half a frame rounds up."""
    length = span.offset - span.onset
    return [span.onset + (2 * i * length + bins) // (2 * bins) for i in range(bins + 1)]


def bin_counts(spikes: Tensor, span: Span, bins: int = 4) -> Features:
    """Count the spikes of each neuron in bins of equal length.

    Args:
        spikes: {0, 1} [T, H].
        span: frames that are divided into bins; those outside of 0 to T count as silent.
        bins: number of bins, B.
    Returns:
        counts, [B * H], bin by bin.
    """
    expect(spikes, "T H", "spikes")
    edges = [min(max(edge, 0), len(spikes)) for edge in bin_edges(span, bins)]
    return torch.cat([spikes[first:last].sum(0) for first, last in itertools.pairwise(edges)]).numpy().astype(np.float32)


def hidden_part(network: nn.Module) -> nn.Module:
    """Return the part of a `Sequential` up to its last spiking layer, with shared weights, or another network as it is."""
    if not isinstance(network, Sequential):
        return network
    silent = {spikes_of.dispatch(kind) for kind in (object, LI)}
    spiking = [i for i, stage in enumerate(network.stages) if any(spikes_of.dispatch(type(part)) not in silent for part in stage.modules())]
    return Sequential(*network.stages[: spiking[-1] + 1]).eval() if spiking else network


@dataclass(frozen=True)
class Whitening:
    """Linear map of features that reduces the directions in which recordings of one word differ.

        z = (x - mean) - U diag(reduction) U^T (x - mean)

    Args:
        mean: mean of the features, [D].
        directions: orthonormal columns U, [D, R].
        reduction: share that is removed along each direction, [R], from 0 to below 1.
    """

    mean: Features
    directions: Features
    reduction: Features

    def __call__(self, features: ArrayLike) -> Features:
        """Map features [N, D] or [D] to z of the same shape."""
        x = np.asarray(features, np.float32)
        if x.shape[-1:] != self.mean.shape:
            raise InputError(f"features: expected [N, {len(self.mean)}], got {list(x.shape)}. Use the bins and layers of the whitening.")
        away = x - self.mean
        return np.asarray(away - (away @ self.directions * self.reduction) @ self.directions.T, np.float32)


def fit_whitening(features: ArrayLike, word: ArrayLike, *, shrinkage: float = 0.3, rank: int | None = None) -> Whitening:
    """Compute the whitening by the covariance within words, in closed form.

    S = (1 - c) S_w + c (tr S_w / D) I, with c the shrinkage, and z = S^(-1/2) (x - mu), up to a factor, on which no code
    depends. Directions with little variance keep their length, so a few directions are enough.

    Args:
        features: [N, D].
        word: word of each row, [N], at least two rows of some word.
        shrinkage: weight of the identity, above 0, at most 1.
        rank: number of directions, those of the largest variance; None takes all.
    Raises:
        InputError: the features do not vary within words, or an argument is out of range.
    Source: within-class covariance normalisation, Hatch et al. (2006), Interspeech; shrinkage to a multiple of the identity, Ledoit & Wolf
        (2004).
    """
    expect_in(shrinkage, "(0, 1]", "shrinkage")
    x, y = np.asarray(features, np.float64), np.unique(np.asarray(word), return_inverse=True)[1]
    if x.ndim != 2 or len(x) != len(y) or not len(x):
        raise InputError(f"features: expected [N, D] with a word for each row, got {list(x.shape)} and {len(y)} words. Check both.")
    sums = np.zeros((y.max() + 1, x.shape[1]))
    np.add.at(sums, y, x)
    within = x - (sums / np.bincount(y)[:, None])[y]
    covariance = within.T @ within / len(x)
    scale = np.trace(covariance) / len(covariance)
    if not scale > 0:
        raise InputError("features: expected rows of one word that differ, got none. Give several recordings of each word.")
    variance, directions = np.linalg.eigh(covariance)
    count = len(variance) if rank is None else min(expect_count(rank, "[0, inf)", "rank"), len(variance))
    largest = slice(len(variance) - count, None)
    shrunk = (1 - shrinkage) * np.maximum(variance[largest], 0) + shrinkage * scale
    reduction = 1 - np.sqrt(shrinkage * scale / shrunk)
    return Whitening(x.mean(0).astype(np.float32), directions[:, largest].astype(np.float32), reduction.astype(np.float32))


def on_off_winners(z: ArrayLike, density: float = 0.1) -> SDR:
    """Code z by k winners among on cells, z, and off cells, -z; of equal values the first wins.

    Args:
        z: [N, D].
        density: share of the 2 D cells that are active.
    Returns:
        N codes of n = 2 D bits, each with a = round(density n) active ones.
    Raises:
        InputError: z is not [N, D] or not finite, or the density is out of range.
    """
    values = np.asarray(z, np.float32)
    expect_in(density, "(0, 1]", "density")
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError(f"z: expected finite values [N, D], got {list(values.shape)}. Whiten the counts of a network first.")
    both = np.concatenate([values, -values], 1)
    active = round(density * both.shape[1])
    return SDR.from_indices(both.shape[1], np.argsort(-both, axis=1, kind="stable")[:, :active])
