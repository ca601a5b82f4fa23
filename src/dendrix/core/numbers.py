"""Numbers and formulas that several parts share."""

GAUSS_NARROWEST = 0.27
"""Offset of the width of the published delay layer's Gaussian, in steps (arXiv 2306.17670, `Dcls1d` with version 'v1')."""

GAUSS_LEAST = 1e-7
"""Offset of that Gaussian's mass, by which it is divided."""


def mixed_seed(seed: int, number: int) -> int:
    """The seed of the `number`-th random stream of a run, such as that of an epoch."""
    return seed * 1_000_003 + number
