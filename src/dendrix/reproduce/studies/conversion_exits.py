"""Exit rules on a converted network: fitted with a guarantee to validation images, reported on test images, and on the clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ...exits import Guarantee, Policy, decide, fit, oracle_curve, run
from .conversion_records import Measured

if TYPE_CHECKING:
    from ...models import Converted

GOAL = Guarantee(eps=0.005, delta=0.1)
BATCH = 64
_ROUNDS = 3


@dataclass(frozen=True)
class Setting:
    """What is fitted."""

    name: str
    rules: tuple[str, ...]
    """Of several, the best on a part of the validation images that certifies nothing."""
    scale: str | None = None
    per_step: bool = False


BEST, PLAIN = "best of the three", "Dynamic Confidence"
SETTINGS = (
    Setting(PLAIN, ("max-probability",), "ece"),
    Setting("margin", ("margin",)),
    Setting("entropy", ("entropy",), "ece"),
    Setting(BEST, ("max-probability", "margin", "entropy"), "ece"),
    Setting("Dynamic Confidence, per step", ("max-probability",), "ece", per_step=True),
    Setting("margin, per step", ("margin",), per_step=True),
    Setting("fixed steps", ("fixed-steps",)),
)


def fitted(setting: Setting, valid: Measured) -> Policy:
    """The policy with a guarantee; where none is possible, it never stops early."""
    return fit(valid.record, setting.rules, GOAL, scale=setting.scale, per_step=setting.per_step, fallback=True)


def stopped_early(valid: Measured, test: Measured) -> dict[str, dict[str, float]]:
    """What every setting does to the test images, and the oracle, which costs all steps where it is never right."""
    record = test.record
    static = record.right().double().mean(0)
    steps = record.outputs.shape[1]
    found = {setting.name: _figures(fitted(setting, valid), test, static) for setting in SETTINGS}
    oracle = oracle_curve(record, "cap")
    return {
        "all steps": {
            "accuracy": static[-1].item(),
            "steps": float(steps),
            "spikes": _mean_spikes(test, torch.full((len(record),), steps)),
        },
        **found,
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
    """Spikes per image until it is stopped."""
    if measured.spikes is None:
        return float("nan")
    return measured.spikes.cumsum(1).gather(1, steps.unsqueeze(1) - 1).double().mean().item()


def clocked(model: "Converted", images: Tensor, policy: Policy) -> dict[str, float]:
    """How many times faster the policy is than all steps of the same images, by batching; medians of interleaved rounds.

    Args:
        model: the converted network.
        images: float [N, C, H, W].
        policy: fitted for this network, for the T to compare with.
    """
    from ...bench.harness import Step, interleave

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


def _currents(model: "Converted", images: Tensor, steps: int) -> Iterator[Tensor]:
    """The currents [T, ...] of one image after the other, computed batch by batch."""
    for batch in torch.split(images, BATCH):
        yield from model.encode(batch, steps)


@torch.inference_mode()
def _all_steps(model: "Converted", images: Tensor, steps: int, block: int) -> dict[str, Tensor]:
    """All steps of all images, `block` of them in one call."""
    for batch in torch.split(images, BATCH):
        state = None
        for part in torch.split(model.encode(batch, steps), block, 1):
            _, state = model(part, state)
    return {}
