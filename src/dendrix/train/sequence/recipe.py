"""Recipe for networks over time: everything that a training run depends on. Every field is an option on the command line."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ...checks import SEEDS
from ...core import expect_fields, expect_one_of
from ...data import Dataset, Splits
from ...errors import InputError
from ...models import Decision
from ..recipe import NetworkConfig, Source

if TYPE_CHECKING:
    from .learner import SequenceLearner


@dataclass(frozen=True)
class SequenceOptim:
    """Adam with two learning rates, each with its own schedule."""

    lr: float = 5e-3
    """Peak of the weights' learning rate, which rises and falls in one cycle."""
    delay_lr: float = 0.1
    """Start of the delays' learning rate, in steps; it falls to zero along a cosine."""
    weight_decay: float = 1e-5
    """Added to the gradient of the weights, as weight times this."""
    clip: float | None = 1.0
    """Largest norm of the gradient; a larger one is scaled down to it. None never scales."""
    moves: Literal["step", "epoch"] = "step"
    """Rates, and the widths of synapses, move with every step or with every epoch."""
    cycle_beta1: bool = False
    """Let Adam's average of the weights' gradients shorten as their rate rises, from 0.95 to 0.85 and back; otherwise it is 0.9."""

    def __post_init__(self) -> None:
        expect_fields(self, lr="[0, inf)", delay_lr="[0, inf)", weight_decay="[0, inf)", clip="(0, inf)")
        expect_one_of(self.moves, ("step", "epoch"), "moves")


@dataclass(frozen=True)
class Budget:
    """How long to train."""

    epochs: int = 100
    """Passes over the training data."""
    batch_size: int = 64
    """Sequences in one step of the optimiser."""
    anneal: float = 0.25
    """Share of the training in which synapses narrow down from wide in time to one delay."""
    pool: int = 8
    """Batches that are filled together with clips of similar length; 1 mixes all lengths."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of matrix products; states of neurons are float32 with either."""
    patience: int = 30
    """Stop after this many epochs without a better validation accuracy, once the delays are narrow."""

    def __post_init__(self) -> None:
        whole = ("epochs", "batch_size", "pool", "patience")
        expect_fields(self, whole=whole, epochs="[1, inf)", batch_size="[1, inf)", pool="[1, inf)", anneal="[0, 1]", patience="[0, inf)")
        expect_one_of(self.precision, ("float32", "bf16"), "precision")

    def last_epoch(self, best: int) -> float:
        """The last epoch to train, counted from 0, if none is better than the epoch `best`."""
        return min(max(best, self.anneal * self.epochs) + self.patience, self.epochs - 1)


@dataclass(frozen=True)
class SequenceAugment:
    """Random changes of the training input; each is off at zero."""

    shift_channels: int = 0
    """Move the spectrum up or down by up to this many channels: another voice."""
    mask_channels: int = 0
    """Silence a band of up to this many neighbouring channels."""
    mask_steps: int = 0
    """Silence up to this many steps in a row."""
    shift_steps: int = 0
    """Move the clip by up to this many steps, earlier or later."""
    jitter_steps: int = 0
    """Move what each channel has in each step by up to this many steps, for itself."""
    blend: float = 0.0
    """Probability that a clip becomes a blend with another one of its class."""
    cutmix: float = 0.0
    """Probability that a stretch of a clip comes from another one, which then is the right answer for that share."""
    tempo: float = 0.0
    """Make the clip slower or faster by up to this share."""
    stretch_channels: float = 0.0
    """Stretch or squeeze the spectrum by up to this share: a shorter or longer vocal tract."""
    loudness: float = 0.0
    """Raise or lower what is above zero by up to this much."""
    tilt: float = 0.0
    """Raise what is above zero in the last channel by up to this much and lower it in the first, or the other way round."""

    def __post_init__(self) -> None:
        whole = ("shift_channels", "mask_channels", "mask_steps", "shift_steps", "jitter_steps")
        expect_fields(self, whole=whole, **dict.fromkeys(whole, "[0, inf)"), blend="[0, 1]", cutmix="[0, 1]")
        expect_fields(self, tempo="[0, inf)", stretch_channels="[0, inf)", loudness="[0, inf)", tilt="[0, inf)")


@dataclass(frozen=True)
class SequenceRecipe:
    """One experiment."""

    data: Source
    """What to learn: sequences."""
    model: NetworkConfig
    """What learns it; `DelayNetConfig`, or any configuration with a `build()`."""
    decision: Decision = field(default_factory=Decision)
    """How its outputs become a decision; the loss is the cross-entropy of that."""
    early: float = 0.0
    """Share of the loss that counts the decision after every step, and not only the last: the answer is clear earlier."""
    optim: SequenceOptim = SequenceOptim()
    """How the parameters move."""
    budget: Budget = Budget()
    """For how long."""
    augment: SequenceAugment = SequenceAugment()
    """What is varied in the training data."""
    seed: int = 0
    """Of the parameters' start, the order of the data, dropout and augmentation."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), early="[0, 1]", seed=SEEDS)
        if self.early and self.decision.padded:
            raise InputError(f"early: expected 0 where the padding of a batch counts, got {self.early}. Set decision.padded to False.")

    def learner(self, splits: Splits[Dataset], accelerator: Any) -> "SequenceLearner":
        """What trains the network on these splits."""
        from .learner import SequenceLearner

        return SequenceLearner(self, splits, accelerator)
