"""Confidence interval and test statistic of a probability estimated by counting."""

import math

NORMAL_95 = 1.959963984540054  # two-sided 95 % of the normal distribution
DOUBT = 4.0  # standard errors beyond which simulation and theory disagree; exceeded by chance in 1 of 16,000 runs


def wilson(hits: int, draws: int) -> tuple[float, float]:
    """Compute the 95 % confidence interval of the probability of `hits` in `draws`.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    share, square = hits / draws, NORMAL_95**2 / draws
    centre = (share + square / 2) / (1 + square)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / draws + square / (4 * draws)) / (1 + square)
    return max(0.0, centre - half) if hits else 0.0, min(1.0, centre + half) if hits < draws else 1.0


def score(hits: int, draws: int, probability: float) -> float:
    """Compute the difference between the fraction of hits and a probability, in standard errors under that probability."""
    return ratio(hits / draws - probability, math.sqrt(probability * (1 - probability) / draws))


def ratio(difference: float, deviation: float) -> float:
    """Compute difference / deviation; 0 for no difference, and infinite for a difference without deviation."""
    if difference == 0:
        return 0.0
    return difference / deviation if deviation else math.copysign(math.inf, difference)
