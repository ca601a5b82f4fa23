"""One sentence about a comparison: whether spikes pay, up to which firing rate, and which term dominates."""

from collections.abc import Iterable

from .hardware.model import Range
from .twin import BreakEven, Comparison


def verdict(found: Comparison) -> str:
    """Return in a sentence whether a spiking network costs less than its twin.

    Args:
        found: result of `compare`.
    """
    hardware, ratio, even = found.spiking.hardware.name, found.ratio, found.break_even
    if ratio is None:
        return f"No verdict on {hardware}: it has no dense products, so the twin cannot run on it."
    if even is None:
        return f"No gain on {hardware}: no product has spikes as inputs, so all products are as dense as those of the twin."
    largest = f"the largest term is {found.spiking.dominant}"
    if ratio.high < 1:
        return f"Spikes pay on {hardware}: {times(ratio)} the energy of the twin; {_limit(even)}; {largest}."
    if ratio.low > 1:
        return f"Spikes do not pay on {hardware}: {times(ratio)} the energy of the twin; {_limit(even)}; {largest}."
    return f"Undecided on {hardware}: {times(ratio)} the energy of the twin; {_limit(even)}; {largest}."


def times(ratio: Range) -> str:
    """Write a ratio, with two digits."""
    return f"{_span(f'{end:.2g}' for end in ratio)} times"


def _limit(even: BreakEven) -> str:
    measured = f"{even.measured:.1%} measured"
    known = sorted(rate for rate in even.rate if rate is not None)
    if not known:
        said = f"even without a spike it costs more ({measured})"
    elif known[0] == 1 and len(known) == len(even.rate):
        said = f"it costs less at every firing rate ({measured})"
    else:
        never = "" if len(known) == len(even.rate) else ", or never with the other figures of the hardware"
        said = f"it costs less below a firing rate of {_span(f'{rate:.1%}' for rate in known)}{never} ({measured})"
    if even.steps is None:
        return said
    if even.steps == (0, 0):
        return f"{said}; at the measured rate it costs more for any number of steps"
    return f"{said}; at the measured rate it costs less for up to {_span(str(steps) for steps in even.steps)} steps"


def _span(ends: Iterable[str]) -> str:
    return " to ".join(dict.fromkeys(ends))
