"""Error rates of layers predicted by the theory of sparse codes: chance matches, and misses of known codes."""

from dataclasses import dataclass

from ...sdr import false_negative, false_positive, set_false_positive


@dataclass(frozen=True)
class MatchTheory:
    """Predicted error rates for uniformly random binary codes; correlated codes match more often."""

    n: int
    """Number of cells to which a segment may be connected."""
    a: int
    """Number of active cells of a code."""
    s: int
    """Number of synapses of a segment."""
    theta: int
    """Number of active synapses that makes a match."""
    v: int
    """Number of active cells of a known code that have changed."""
    false_positive: float
    """Probability that a random code matches."""
    false_negative: float
    """Probability that a known code with v changed cells does not match."""


def match_theory(n: int, a: int, s: int, theta: int, v: int = 0, segments: int = 1) -> MatchTheory:
    """Compute the error rates of a segment, or of a unit that matches if any of its independent segments matches.

    Args:
        n, a, s, theta, v: see `MatchTheory`.
        segments: number of segments per unit. The synapses of one of them are a sample of the cells of the known code, or for s > a
            all of these cells and others.
    Source: Ahmad & Hawkins (2016), arXiv 1601.00720, equations 4, 6 and 8; s > a and matches of other segments by chance are ours.
    """
    missed = _missed(n, a, s, theta, v)
    if segments > 1:
        missed *= 1 - float(set_false_positive(n, a, s, theta, segments - 1))
    return MatchTheory(n, a, s, theta, v, float(set_false_positive(n, a, s, theta, segments)), missed)


def _missed(n: int, a: int, s: int, theta: int, v: int) -> float:
    """Return the probability that a segment misses its known code."""
    if s <= a:
        return float(false_negative(a, s, v, theta))
    # a - v of the known cells are still active, and the v others may by chance match the s - a other synapses.
    return 1 - float(false_positive(n - a, v, s - a, theta - (a - v)))
