"""Exit rules on a converted network: fitted with a guarantee on validation images, evaluated and timed on test images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ...bench.harness import Step, interleave
from ...errors import InputError
from ...exits import Guarantee, Policy, decide, fit, oracle_curve, run
from ...models import Converted
from .conversion_records import Measured

GOAL = Guarantee(eps=0.005, delta=0.1)
BATCH = 64
_ROUNDS = 3


@dataclass(frozen=True)
class Setting:
    """Options of a fit."""

    rules: tuple[str, ...]
    """If several, the best on a part of the validation images that is not used for the guarantee."""
    scale: str | None = None
    per_step: bool = False


BEST, PLAIN = "best of the three", "Dynamic Confidence"
SETTINGS = {
    PLAIN: Setting(("max-probability",), "ece"),
    "margin": Setting(("margin",)),
    "entropy": Setting(("entropy",), "ece"),
    BEST: Setting(("max-probability", "margin", "entropy"), "ece"),
    "Dynamic Confidence, per step": Setting(("max-probability",), "ece", per_step=True),
    "margin, per step": Setting(("margin",), per_step=True),
    "fixed steps": Setting(("fixed-steps",)),
}


def fitted(setting: Setting, valid: Measured) -> Policy:
    """The policy with a guarantee; it never exits early if no guarantee is possible."""
    return fit(valid.record, setting.rules, GOAL, scale=setting.scale, per_step=setting.per_step, fallback=True)


def stopped_early(valid: Measured, test: Measured) -> dict[str, dict[str, float]]:
    """Figures of all steps, of every setting and of the oracle, which takes all steps where no answer is correct.

    Args:
        valid: recorded validation images, to fit on.
        test: recorded test images, to evaluate on.
    """
    record = test.record
    static = record.right().double().mean(0)
    steps = record.outputs.shape[1]
    oracle = oracle_curve(record, "cap")
    return {
        "all steps": {
            "accuracy": static[-1].item(),
            "steps": float(steps),
            "spikes": _mean_spikes(test, torch.full((len(record),), steps)),
        },
        **{name: _figures(fitted(setting, valid), test, static) for name, setting in SETTINGS.items()},
        "oracle": {"accuracy": oracle.accuracy[-1].item(), "steps": oracle.steps[-1].item()},
    }


def _figures(policy: Policy, test: Measured, static: Tensor) -> dict[str, float]:
    record = test.record
    found, full = decide(policy.rule, record), len(static)
    right, right_at_end = found.answers == record.truth, record.right()[:, -1]
    mean = found.steps.double().mean().item()
    low = int(mean)
    between = static[low - 1] + (mean - low) * (static[min(low, full - 1)] - static[low - 1])
    return {
        "accuracy": right.double().mean().item(),
        "lost": (right_at_end & ~right).double().mean().item(),
        "drop": (right_at_end.double().mean() - right.double().mean()).item(),
        "steps": mean,
        "cut": 1 - mean / full,
        "spikes": _mean_spikes(test, found.steps),
        "fixed_at_same_mean": between.item(),
    }


def _mean_spikes(measured: Measured, steps: Tensor) -> float:
    """Spikes per image until its exit."""
    if measured.spikes is None:
        raise InputError("measured: expected a record with spikes, got one without. Record the network with `measure`.")
    return measured.spikes.cumsum(1).gather(1, steps.unsqueeze(1) - 1).double().mean().item()


def clocked(model: Converted, images: Tensor, policy: Policy) -> dict[str, float]:
    """Speed-up of the policy over all steps of the same images, by batching; medians of interleaved rounds.

    Args:
        model: the converted network.
        images: float [N, C, H, W].
        policy: fitted for this network and the T to compare with.
    """

    def stopping(batching: Literal["wait", "compact", "refill"]) -> Step:
        def step() -> dict[str, Tensor]:
            found = run(
                model, _currents(model, images, policy.steps), policy.rule, batching, policy.accumulation, batch_size=BATCH, block=1
            )
            return {"steps": found.steps}

        return step

    ways: dict[str, Callable[[], Any]] = {
        "one call": lambda: _all_steps(model, images, policy.steps, policy.steps),
        "step by step": lambda: _all_steps(model, images, policy.steps, 1),
        "wait": stopping("wait"),
        "compact": stopping("compact"),
        "refill": stopping("refill"),
    }
    mean = ways["refill"]()["steps"].double().mean().item()
    timings = interleave(ways, _ROUNDS)
    speedups = {name: timings["one call"].ratio_to(timings[name])[0] for name in ways if name != "one call"}
    milliseconds = 1000 * timings["one call"].median / len(images)
    return {"T": policy.steps, "images": len(images), "steps": mean, "ideal": policy.steps / mean, "ms_per_image": milliseconds, **speedups}


def _currents(model: Converted, images: Tensor, steps: int) -> Iterator[Tensor]:
    """Input currents [T, ...] of one image after another, computed batch by batch."""
    for batch in torch.split(images, BATCH):
        yield from model.encode(batch, steps)


@torch.inference_mode()
def _all_steps(model: Converted, images: Tensor, steps: int, block: int) -> dict[str, Tensor]:
    """All steps of all images, `block` of them in one call."""
    for batch in torch.split(images, BATCH):
        state = None
        for part in torch.split(model.encode(batch, steps), block, 1):
            _, state = model(part, state)
    return {}
