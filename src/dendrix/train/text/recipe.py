"""Recipe for language models. Every field is an option on the command line."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...checks import SEEDS
from ...core import expect_fields, expect_one_of
from ...errors import InputError
from ...models.gpt2 import GPT2Config
from ...models.lstm import LSTMConfig
from ...models.spikegpt.network import SpikeGPTConfig
from .data import TextData

if TYPE_CHECKING:
    from ...data.text.tokens import TextSplits
    from .learner import TextLearner


@dataclass(frozen=True)
class TextOptim:
    """Adam with decoupled weight decay; the learning rate rises linearly, then falls along a cosine."""

    lr: float = 2e-3
    """Peak learning rate."""
    final_lr: float = 1e-5
    """Final learning rate."""
    warm_up: int = 200
    """Number of steps in which the learning rate rises."""
    beta1: float = 0.9
    """Decay of Adam's running mean of the gradient."""
    beta2: float = 0.99
    """Decay of Adam's running mean of the squared gradient."""
    eps: float = 4e-9
    """Adam's epsilon, added to the root of the mean square."""
    weight_decay: float = 0.1
    """Decoupled weight decay of matrices; vectors and the embedding have none."""
    clip: float = 1.0
    """Largest norm of the gradient."""

    def __post_init__(self) -> None:
        expect_fields(self, lr="(0, inf)", final_lr="[0, inf)", warm_up="[0, inf)", beta1="[0, 1)", beta2="[0, 1)", eps="(0, inf)")
        expect_fields(self, weight_decay="[0, inf)", clip="(0, inf)")


@dataclass(frozen=True)
class TextBudget:
    """Length of the training, and how often it is validated."""

    steps: int = 5000
    """Number of steps of the optimiser."""
    every: int = 250
    """Number of steps between validations: one epoch of the record."""
    batch_size: int = 16
    """Windows in one step of the optimiser."""
    accumulate: int = 1
    """Number of parts of a batch that are computed one after another (gradient accumulation)."""
    context: int = 256
    """Length of a window, in tokens."""
    valid_tokens: int = 200_000
    """Number of tokens of the validation text to use, from its beginning; `dendrix lm eval` uses all."""
    sample_tokens: int = 200
    """Length of the text that is sampled after each validation, in tokens; 0 samples none."""
    precision: Literal["float32", "bf16"] = "float32"
    """Precision of matrix products; WKV and membranes are always float32."""
    shard: bool = False
    """Shard parameters, gradients and optimiser moments over the processes (FSDP2) instead of replicating them (DDP)."""

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("steps", "every", "batch_size", "accumulate"), "[1, inf)")
        counts |= {"context": "[2, inf)", "valid_tokens": "[2, inf)", "sample_tokens": "[0, inf)"}
        expect_fields(self, whole=counts, **counts)
        expect_one_of(self.precision, ("float32", "bf16"), "precision")
        if self.batch_size % self.accumulate:
            raise InputError(f"accumulate: expected a divisor of batch_size {self.batch_size}, got {self.accumulate}.")

    @property
    def epochs(self) -> int:
        """Number of validations."""
        return -(-self.steps // self.every)

    def last_epoch(self, best: int) -> int:
        """Return the last epoch, counted from 0. It does not depend on the best one, because the learning rate falls until the end."""
        return self.epochs - 1


@dataclass(frozen=True)
class TextLoss:
    """Terms beside the cross-entropy of the next token, and the surrogate behind its gradient."""

    rate: float | None = None
    """Spikes per neuron and token at which the mean over all groups of neurons is held, gates of attention aside; None leaves the rate
    free."""
    rate_weight: float = 1.0
    """Factor of (rate / target - 1)^2, in nats."""
    teacher: Path | None = None
    """Run of a trained language model with the same tokenizer, whose predictions are learned as well; None for no teacher."""
    teacher_weight: float = 0.5
    """Share of the teacher's predictions in the loss; the rest is that of the text."""
    final_alpha: float | None = None
    """Sharpness of the surrogate of the neurons at the last step, which begins at `model.neurons.alpha` and changes by the same factor at
    every step; None keeps it."""

    def __post_init__(self) -> None:
        expect_fields(self, rate_weight="(0, inf)", teacher_weight="(0, 1]")
        if self.final_alpha is not None:
            expect_fields(self, final_alpha="(0, inf)")
        if self.rate is not None:
            expect_fields(self, rate="(0, 1)")
        for name, of in (("rate_weight", "rate"), ("teacher_weight", "teacher")):
            if getattr(self, of) is None and (given := getattr(self, name)) != getattr(TextLoss, name):
                raise InputError(f"loss.{name}: expected none without loss.{of}, got {given:g}. Give loss.{of} too, or leave it out.")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"teacher": None if self.teacher is None else str(self.teacher)}


@dataclass(frozen=True)
class TextRecipe:
    """One experiment on text."""

    data: TextData
    """Source of the data."""
    model: SpikeGPTConfig | GPT2Config | LSTMConfig
    """Configuration of the network."""
    optim: TextOptim = TextOptim()
    """Settings of the optimiser."""
    budget: TextBudget = TextBudget()
    """Length of the training."""
    l2_wrap: bool = True
    """Add RWKV's penalty on the largest logits, as published."""
    loss: TextLoss = TextLoss()
    """Further terms of the loss, which the published training does not have."""
    seed: int = 0
    """Seed of the initial parameters, the data order and dropout."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), seed=SEEDS)

    def learner(self, splits: "TextSplits", accelerator: Any) -> "TextLearner":
        """Build the learner of this recipe on the given splits."""
        from .learner import TextLearner

        return TextLearner(self, splits, accelerator)
