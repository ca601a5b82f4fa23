"""Published accuracies of recipes, each with its source, its protocol and a tolerance. Imports no other module of dendrix."""

from dataclasses import dataclass

_ELSEWHERE = "as quoted in later papers; not compared with the paper itself"


@dataclass(frozen=True)
class PublishedAccuracy:
    """A published accuracy on the test clips, in per cent, the mean over several seeds.

    Args:
        percent: the number as printed, digit by digit.
        tolerance: largest difference of one training with one seed, in points, that seeds and the number of clips explain.
        source: publication of the number.
        protocol: conditions of the measurement.
        checked: whether the number was compared with the source itself.
    """

    percent: str
    tolerance: float
    source: str
    protocol: str
    checked: str


CLAIMS = {
    "shd-delays:published": PublishedAccuracy(
        "95.07", 1.5, "arXiv 2306.17670", "the epoch is the best of 150 on the test clips", _ELSEWHERE
    ),
    "shd-delays": PublishedAccuracy(
        "93.77",
        1.5,
        "arXiv 2509.24852, table 2",
        "the same network and a fifth of the training clips for validation, but with augmentation",
        "in a later paper of the same group; not compared with it",
    ),
    "ssc-delays:published": PublishedAccuracy("80.69", 0.8, "arXiv 2306.17670", "three layers, two synapses for each pair", _ELSEWHERE),
    "gsc-delays:published": PublishedAccuracy("95.35", 0.5, "arXiv 2306.17670", "three layers, two synapses for each pair", _ELSEWHERE),
}
"""By recipe. The other recipes of the same files have no published number, or none that can be quoted here."""
