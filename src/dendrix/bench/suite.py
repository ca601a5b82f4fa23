"""Cases of the benchmark, by name and by group."""

from ..core import expect_one_of
from . import convert, decode, delays, events, exits, language, neurons, sdr_probability, sdr_search, training, wkv
from .harness import Case

_ONLY_IF_NAMED = ("gpu", "events")


def groups() -> dict[str, list[Case]]:
    """The cases of each group, in the order in which they run."""
    return {
        "lif": neurons.cases(),
        "gpu": neurons.gpu_cases(),
        "delay": delays.cases(),
        "events": events.cases(),
        "step": training.cases(),
        "train": training.speech(),
        "convert": convert.cases(),
        "wkv": wkv.cases(),
        "lm": language.cases(),
        "sdr": [*sdr_probability.cases(), *sdr_search.cases()],
    }


def names() -> list[str]:
    """All names that `dendrix bench` accepts: groups, growth, exits or a network, nir, deploy, serve, sessions, decode or a size, cases."""
    special = ["growth", "exits", "nir", "deploy", "serve", "sessions", "decode", *(f"decode-{size}" for size in decode.SIZES)]
    special += [f"exits-{name}" for name in (*exits.NAMES, "growth")]
    return [*groups(), *special, *(case.name for group in groups().values() for case in group)]


def find(name: str) -> Case:
    """The case with this name."""
    found = {case.name: case for group in groups().values() for case in group}
    return found[expect_one_of(name, found, "case")]


def select(wanted: tuple[str, ...]) -> list[Case]:
    """The cases named, singly or by group; all cases that need no GPU if none is named."""
    for name in wanted:
        expect_one_of(name, names(), "benchmark")
    found = groups()
    chosen = wanted or tuple(group for group in found if group not in _ONLY_IF_NAMED)
    return [case for group, cases in found.items() for case in cases if group in chosen or case.name in chosen]
