"""Exit policies of the page's integer networks: `python -m dendrix.page.certify`, with the training data in DENDRIX_DATA."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.files import write_json
from ..deploy import exit_rule, quantise
from ..exits import Guarantee, decide, fingerprint, record_outputs
from ..models import Converted, Decision
from ..runs import open_run
from ..runs.deployment import DeployRun, prepare_run
from .seeing import POLICIES, THRESHOLDS

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


def weigh(name: str) -> None:
    """Store mean steps and accuracy of a shipped image network at each threshold, on its validation data.

    Args:
        name: a converted network of `GOALS`.
    """
    opened = open_run(name, "valid")
    original: Any = opened.network
    network: Any = quantise(original)
    checkpoint = replace(opened.checkpoint, model=network, decision=Decision("sum"))
    record = record_outputs(network, replace(opened, checkpoint=checkpoint).batches(), "sum")
    rule, found = exit_rule(network, checkpoint.decision), {}
    for threshold in THRESHOLDS:
        made = decide(replace(rule, threshold=threshold), record)
        found[str(threshold)] = {
            "mean_steps": round(float(made.steps.double().mean()), 4),
            "accuracy": round(float(made.answers.eq(record.truth).double().mean()), 5),
        }
    write_json(POLICIES / f"{name}-thresholds.json", {"model": fingerprint(network), "inputs": len(record), "thresholds": found})


if __name__ == "__main__":
    for network in GOALS:
        certify(network)
        if isinstance(open_run(network, "valid").network, Converted):
            weigh(network)
