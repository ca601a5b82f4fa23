"""`dendrix reproduce NAME`: published results made again, each number beside its source and what became of it."""

from importlib import import_module
from pathlib import Path

from ..errors import InputError
from .claim import Checked as Checked
from .claim import Claim as Claim

REPRODUCTIONS = {
    "cifar10-conversion": "What conversion to spikes costs and gives on CIFAR-10, stopped early and beside SpikingJelly's: our own study.",
    "fsdd-delays": "What learned delays are worth on spoken digits: our own study, with paired tests.",
    "nlu": "What a small SpikeGPT makes of sentences, beside a bag of words: our own study.",
    "sdr": "Every figure and quoted number of Ahmad & Hawkins (2016), as published and corrected.",
    "spikegpt-small": "What spikes cost a small language model, beside its continuous twin and GPT-2: our own study.",
    "shd-delays": "DCLS-Delays on the Spiking Heidelberg Digits: the published protocol and a clean one.",
    "ssc-delays": "DCLS-Delays on the Spiking Speech Commands: the published protocol and a clean one.",
    "gsc-delays": "DCLS-Delays on the Google Speech Commands: the published protocol and a clean one.",
}
"""What can be reproduced, each in the file of that name, with an underscore for a dash."""

_PAPERS = ("sdr", "shd-delays", "ssc-delays", "gsc-delays")
_FLOORS = {name: "papers" if name in _PAPERS else "studies" for name in REPRODUCTIONS}


def reproduce(name: str, out: Path, epochs: int | None = None) -> list[Checked]:
    """Make a published result again: figures or runs and a page of findings in the folder `out`, and each claim checked.

    Args:
        name: a key of `REPRODUCTIONS`.
        out: the folder; it is made if it is not there.
        epochs: train for so many instead of the published number, where networks are trained; that checks no claim.
    Raises:
        ValueError: `epochs` is given where nothing is trained.
    """
    module = import_module(f".{_FLOORS[name]}.{name.replace('-', '_')}", __name__)
    if epochs is not None and name == "sdr":
        raise InputError(f"epochs: expected none, as {name} trains nothing, got {epochs}. Leave it out.")
    checked: list[Checked] = module.reproduce(out) if epochs is None else module.reproduce(out, epochs=epochs)
    return checked
