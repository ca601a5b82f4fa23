"""One sentence about a comparison: whether spikes pay, up to which firing rate, and which term dominates."""

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
    low, high = f"{ratio.low:.2g}", f"{ratio.high:.2g}"
    return f"{low} times" if low == high else f"{low} to {high} times"


def _limit(even: BreakEven) -> str:
    measured = f"{even.measured:.1%} measured"
    known = [rate for rate in even.rate if rate is not None]
    if not known:
        said = f"not even without a spike would it cost less ({measured})"
    elif min(known) == 1 and len(known) == len(even.rate):
        said = f"it costs less at every firing rate ({measured})"
    else:
        ends = sorted({f"{rate:.1%}" for rate in known})
        least = f"{min(known):.1%}"
        said = f"it costs less below a firing rate of {least if len(ends) == 1 else f'{least} to {max(known):.1%}'} ({measured})"
        said += "" if len(known) == len(even.rate) else ", or never with the other figures of the hardware"
    if even.steps is not None:
        least, greatest = (str(steps) for steps in even.steps)
        said += f", and for at most {least if least == greatest else f'{least} to {greatest}'} steps at the measured rate"
    return said
