"""Growth of cost with size: the exponent p of cost ~ size^p, from a few sizes of one axis with the others fixed."""

from dataclasses import dataclass, replace

from .harness import Case, measure, slope
from .suite import find


@dataclass(frozen=True)
class Growth:
    """An axis of a case that is doubled a few times. Names in `axes` grow together, such as C and H of a square layer."""

    case: str
    about: str
    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    rest: dict[str, int]
    contenders: tuple[str, ...]

    def at(self, size: int) -> Case:
        """The case at one size, with only the contenders of this growth."""
        case = find(self.case)
        parts = tuple(c for c in case.contenders if c.name in self.contenders)
        return replace(case, contenders=parts, size={**self.rest, **dict.fromkeys(self.axes, size)}, repeats=3)


_LIF = ("torch loop (unbind)", "dendrix", "SpikingJelly")
_DELAY = ("torch conv1d", "dendrix", "DCLS")
_WKV = ("torch loop (unbind)", "dendrix", "torch in chunks")
_LANGUAGE = ("torch loops", "dendrix", "GPT-2 (transformers)")


def growths() -> list[Growth]:
    """LIF by time, batch and width; the delay layer by these and the number of taps; training steps; WKV by time."""
    lif, delay = dict(T=128, B=64, C=256), dict(B=16, T=100, C=128, H=128, L=25)
    step, torch_or_ours = dict(B=16, T=100, C=40, H=128, K=10), ("torch", "dendrix")
    lm = dict(B=4, C=160, L=3)
    return [
        Growth("lif-100", "LIF, time steps", ("T",), (64, 128, 256, 512), lif, _LIF),
        Growth("lif-100", "LIF, batch", ("B",), (32, 64, 128, 256), lif, _LIF),
        Growth("lif-100", "LIF, width", ("C",), (128, 256, 512, 1024), lif, _LIF),
        Growth("delay-training", "delay layer, time steps", ("T",), (50, 100, 200, 400), delay, _DELAY),
        Growth("delay-training", "delay layer, batch", ("B",), (8, 16, 32, 64), delay, _DELAY),
        Growth("delay-training", "delay layer, width", ("C", "H"), (64, 128, 256), delay, _DELAY),
        Growth("delay-training", "delay layer, taps", ("L",), (13, 25, 51, 101), delay, _DELAY),
        Growth("train-fsdd-synaptic", "training step, time steps", ("T",), (50, 100, 200), step, torch_or_ours),
        Growth("train-fsdd-synaptic", "training step, batch", ("B",), (8, 16, 32), step, torch_or_ours),
        Growth("train-fsdd-synaptic", "training step, width", ("H",), (64, 128, 256), step, torch_or_ours),
        Growth("wkv-1024", "WKV, tokens", ("T",), (128, 512, 1024, 4096), dict(B=4, C=256), _WKV),
        Growth("lm-256", "training step of a language model, tokens of a window", ("T",), (128, 256, 512, 1024), lm, _LANGUAGE),
    ]


def exponents(growth: Growth, smoke: bool = False) -> dict[str, float]:
    """The exponent of each contender with correct results at every size; `smoke` measures the two smallest sizes once."""
    sizes = growth.sizes[:2] if smoke else growth.sizes
    outcomes = [measure(replace(growth.at(size), repeats=1) if smoke else growth.at(size)) for size in sizes]
    right = set.intersection(*(set(outcome.timings) for outcome in outcomes))
    return {name: slope(list(sizes), [o.timings[name].median for o in outcomes]) for name in growth.contenders if name in right}
