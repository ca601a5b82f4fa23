"""What a number of hits says about a probability."""

import math

NORMAL_95 = 1.959963984540054  # two-sided 95 % of the normal distribution
DOUBT = 4.0  # standard errors beyond which drawing and theory disagree: 1 run in 16,000 by chance


def wilson(hits: int, draws: int) -> tuple[float, float]:
    """The 95 % interval of a share of `hits` in `draws`. Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209."""
    share, square = hits / draws, NORMAL_95**2 / draws
    centre = (share + square / 2) / (1 + square)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / draws + square / (4 * draws)) / (1 + square)
    return max(0.0, centre - half) if hits else 0.0, min(1.0, centre + half) if hits < draws else 1.0


def score(hits: int, draws: int, probability: float) -> float:
    """How many standard errors the share of hits lies above a probability, if that were the true one."""
    return ratio(hits / draws - probability, math.sqrt(probability * (1 - probability) / draws))


def ratio(difference: float, deviation: float) -> float:
    """difference / deviation; without deviation any difference is infinitely many."""
    if difference == 0:
        return 0.0
    return difference / deviation if deviation else math.copysign(math.inf, difference)
