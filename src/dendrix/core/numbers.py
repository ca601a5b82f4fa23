"""Shared constants and formulas."""

GAUSS_NARROWEST = 0.27
"""Offset added to the width of the Gaussian of the published delay layer, in steps (arXiv 2306.17670, `Dcls1d`, version 'v1')."""

GAUSS_LEAST = 1e-7
"""Offset added to the sum by which that Gaussian is normalised."""


def mixed_seed(seed: int, number: int) -> int:
    """Return the seed of the `number`-th random stream of a run, for example of an epoch."""
    return seed * 1_000_003 + number
