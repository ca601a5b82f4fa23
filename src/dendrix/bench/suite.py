"""All cases, by name and by group."""

from ..core import expect_one_of
from . import convert, decode, delays, language, neurons, sdr_probability, sdr_search, training, wkv
from .harness import Case


def groups() -> dict[str, list[Case]]:
    """The cases of each group, in the order in which they run."""
    return {
        "lif": neurons.cases(),
        "delay": delays.cases(),
        "step": training.cases(),
        "train": training.speech(),
        "convert": convert.cases(),
        "wkv": wkv.cases(),
        "lm": language.cases(),
        "sdr": [*sdr_probability.cases(), *sdr_search.cases()],
    }


def names() -> list[str]:
    """Everything that `dendrix bench` takes as a name: groups, growth, exits, serve, decode whole or by size, and single cases."""
    special = ["growth", "exits", "serve", "decode", *(f"decode-{size}" for size in decode.SIZES)]
    return [*groups(), *special, *(case.name for group in groups().values() for case in group)]


def find(name: str) -> Case:
    """The case of this name."""
    found = {case.name: case for group in groups().values() for case in group}
    return found[expect_one_of(name, found, "case")]


def select(wanted: tuple[str, ...]) -> list[Case]:
    """The cases named, singly or by group; all of them if none is named."""
    for name in wanted:
        expect_one_of(name, names(), "benchmark")
    return [case for group, cases in groups().items() for case in cases if not wanted or group in wanted or case.name in wanted]
