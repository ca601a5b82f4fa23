"""Exit policies of the page's integer networks: `python -m dendrix.page.certify`, with the training data in DENDRIX_DATA."""

from pathlib import Path

from ..exits import Guarantee
from ..runs.deployment import DeployRun, prepare_run
from .seeing import POLICIES

GOALS = {
    "cifar10": Guarantee(eps=0.01, delta=0.1),
    "commands": Guarantee(eps=0.02, delta=0.1),
    "fsdd": Guarantee(eps=0.02, delta=0.1),
}
"""Goals of the shipped networks, as for their floating-point forms."""


def certify(name: str) -> None:
    """Fit and store the policy of a shipped network on its validation data.

    Args:
        name: one of `GOALS`.
    """
    policy = prepare_run(DeployRun(Path(name), goal=GOALS[name])).policy
    if policy is not None:
        policy.save(POLICIES / f"{name}.json")


if __name__ == "__main__":
    for network in GOALS:
        certify(network)
