"""Recipe for networks over time. Every field is an option on the command line."""

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
    """Adam with separate learning rates and schedules for weights and delays."""

    lr: float = 5e-3
    """Peak learning rate of the weights; the rate follows one cycle."""
    delay_lr: float = 0.1
    """Initial learning rate of the delays, in steps; the rate falls along a cosine to zero."""
    weight_decay: float = 1e-5
    """L2 penalty: the weight times this is added to its gradient."""
    clip: float | None = 1.0
    """Largest norm of the gradient; a larger one is scaled down to it. None disables clipping."""
    moves: Literal["step", "epoch"] = "step"
    """Update learning rates and the widths of delays after every step or every epoch."""
    cycle_beta1: bool = False
    """Cycle Adam's beta1 of the weights from 0.95 to 0.85 and back, against the learning rate; otherwise it is 0.9."""

    def __post_init__(self) -> None:
        expect_fields(self, lr="[0, inf)", delay_lr="[0, inf)", weight_decay="[0, inf)", clip="(0, inf)")
        expect_one_of(self.moves, ("step", "epoch"), "moves")


@dataclass(frozen=True)
class Budget:
    """Length of the training."""

    epochs: int = 100
    """Passes over the training data."""
    batch_size: int = 64
    """Sequences in one step of the optimiser."""
    anneal: float = 0.25
    """Share of the training in which the temporal width of a delay shrinks to a single step."""
    pool: int = 8
    """Number of batches that are sorted by length together, to reduce padding; 1 mixes all lengths."""
    precision: Literal["float32", "bf16"] = "float32"
    """Precision of matrix products; states of neurons are always float32."""
    patience: int = 30
    """Stop after this many epochs without a better validation accuracy, counted after `anneal`."""

    def __post_init__(self) -> None:
        whole = ("epochs", "batch_size", "pool", "patience")
        expect_fields(self, whole=whole, epochs="[1, inf)", batch_size="[1, inf)", pool="[1, inf)", anneal="[0, 1]", patience="[0, inf)")
        expect_one_of(self.precision, ("float32", "bf16"), "precision")

    def last_epoch(self, best: int) -> float:
        """Return the last epoch to train, counted from 0, if none is better than epoch `best`."""
        return min(max(best, self.anneal * self.epochs) + self.patience, self.epochs - 1)


@dataclass(frozen=True)
class SequenceAugment:
    """Random augmentation of the training inputs; a zero turns a part off."""

    shift_channels: int = 0
    """Largest shift of the spectrum, in channels."""
    mask_channels: int = 0
    """Largest width of a band of channels that is set to zero."""
    mask_steps: int = 0
    """Largest length of an interval of steps that is set to zero."""
    shift_steps: int = 0
    """Largest shift in time, in steps."""
    jitter_steps: int = 0
    """Largest independent shift in time of every entry, in steps."""
    blend: float = 0.0
    """Probability that a clip is blended with another one of its class."""
    cutmix: float = 0.0
    """Probability that an interval of a clip is replaced by that of another one, with the targets mixed by its share (CutMix)."""
    tempo: float = 0.0
    """Largest relative change of tempo."""
    stretch_channels: float = 0.0
    """Largest relative stretch of the spectrum (vocal tract length perturbation)."""
    loudness: float = 0.0
    """Largest amount that is added to all inputs above zero."""
    tilt: float = 0.0
    """Largest amount that is added to inputs above zero in the last channel and subtracted in the first, linear between them."""

    def __post_init__(self) -> None:
        whole = ("shift_channels", "mask_channels", "mask_steps", "shift_steps", "jitter_steps")
        expect_fields(self, whole=whole, **dict.fromkeys(whole, "[0, inf)"), blend="[0, 1]", cutmix="[0, 1]")
        expect_fields(self, tempo="[0, inf)", stretch_channels="[0, inf)", loudness="[0, inf)", tilt="[0, inf)")


@dataclass(frozen=True)
class SequenceRecipe:
    """One experiment."""

    data: Source
    """Source of the sequences."""
    model: NetworkConfig
    """Configuration of the network: `DelayNetConfig`, or any with the method `build()`."""
    decision: Decision = field(default_factory=Decision)
    """How outputs become a decision; the loss is the cross-entropy of its evidence."""
    early: float = 0.0
    """Share of the loss that is computed from the decision after every step instead of the last one, for early exits."""
    optim: SequenceOptim = SequenceOptim()
    """Settings of the optimiser."""
    budget: Budget = Budget()
    """Length of the training."""
    augment: SequenceAugment = SequenceAugment()
    """Augmentation of the training data."""
    seed: int = 0
    """Seed of the initial parameters, the data order, dropout and augmentation."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), early="[0, 1]", seed=SEEDS)
        if self.early and self.decision.padded:
            raise InputError(f"early: expected 0 with decision.padded, got {self.early}. Set decision.padded to False.")

    def learner(self, splits: Splits[Dataset], accelerator: Any) -> "SequenceLearner":
        """Build the learner of this recipe on the given splits."""
        from .learner import SequenceLearner

        return SequenceLearner(self, splits, accelerator)
