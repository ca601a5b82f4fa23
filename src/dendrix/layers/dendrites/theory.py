"""Error rates that the theory of sparse codes predicts for a layer: matches by chance, and misses of known codes."""

from dataclasses import dataclass

from ...sdr import false_negative, false_positive, set_false_positive


@dataclass(frozen=True)
class MatchTheory:
    """Predicted error rates for binary codes that are uniformly random; correlated codes match more often."""

    n: int
    """Cells that a segment could listen to."""
    a: int
    """Active cells of a code."""
    s: int
    """Synapses of a segment."""
    theta: int
    """Active synapses that make a match."""
    v: int
    """Active cells of a known code that have moved elsewhere."""
    false_positive: float
    """Chance that a random code matches."""
    false_negative: float
    """Chance that a known code, with v of its cells moved, does not match."""


def match_theory(n: int, a: int, s: int, theta: int, v: int = 0, segments: int = 1) -> MatchTheory:
    """The error rates of one segment, or of a unit that matches when any of its independent segments does.

    Args:
        n, a, s, theta, v: see `MatchTheory`.
        segments: how many a unit has. The synapses of one of them are a sample of the known code's cells, or, where s > a, all of
            these and others.
    Source: Ahmad & Hawkins (2016), arXiv 1601.00720, equations 4, 6 and 8; s > a and the rescue of a miss by other segments are ours.
    """
    missed = _missed(n, a, s, theta, v)
    if segments > 1:
        missed *= 1 - float(set_false_positive(n, a, s, theta, segments - 1))
    return MatchTheory(n, a, s, theta, v, float(set_false_positive(n, a, s, theta, segments)), missed)


def _missed(n: int, a: int, s: int, theta: int, v: int) -> float:
    """The chance that one segment misses the code that it knows."""
    if s <= a:
        return float(false_negative(a, s, v, theta))
    # a - v of the known cells stay, and the v others may by chance land on the s - a other synapses.
    return 1 - float(false_positive(n - a, v, s - a, theta - (a - v)))
