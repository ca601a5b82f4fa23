"""What was published for recipes: each number with its source, its protocol, and how far ours may lie from it. Loads nothing else."""

from dataclasses import dataclass

_ELSEWHERE = "as later papers quote it; not compared with the paper itself"


@dataclass(frozen=True)
class PublishedAccuracy:
    """An accuracy on the clips for testing, in per cent: a mean over several seeds.

    Args:
        percent: the number as printed, digit by digit.
        tolerance: how far one training with one seed may lie off, in points: what seeds and the number of clips explain.
        source: where it is printed.
        protocol: what it was measured with, where that matters.
        checked: whether we saw it in the source itself.
    """

    percent: str
    tolerance: float
    source: str
    protocol: str
    checked: str


CLAIMS = {
    "shd-delays:published": PublishedAccuracy(
        "95.07", 1.5, "arXiv 2306.17670", "the epoch is the best of 150 on the clips for testing", _ELSEWHERE
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
"""By recipe. The recipes of the same files that are not here have no published number, or none that we may quote."""
