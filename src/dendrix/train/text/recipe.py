"""Recipe for language models. Every field is an option on the command line."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...checks import SEEDS
from ...core import expect_fields, expect_one_of
from ...errors import InputError
from ...models.gpt2 import GPT2Config
from ...models.spikegpt.network import SpikeGPTConfig
from .data import TextData

if TYPE_CHECKING:
    from ...data.text.tokens import TextSplits
    from .learner import TextLearner


@dataclass(frozen=True)
class TextOptim:
    """Adam with decoupled weight decay; the rate rises along a line, then falls along a cosine."""

    lr: float = 2e-3
    """Peak of the learning rate."""
    final_lr: float = 1e-5
    """The learning rate at the end."""
    warm_up: int = 200
    """Steps in which it rises."""
    beta1: float = 0.9
    """Memory of the gradient's mean."""
    beta2: float = 0.99
    """Memory of its square."""
    eps: float = 4e-9
    """Added to the root of the square."""
    weight_decay: float = 0.1
    """Pulls matrices to zero by this times the rate at every step; vectors and the embedding are left alone."""
    clip: float = 1.0
    """Largest norm of the gradient."""

    def __post_init__(self) -> None:
        expect_fields(self, lr="(0, inf)", final_lr="[0, inf)", warm_up="[0, inf)", beta1="[0, 1)", beta2="[0, 1)", eps="(0, inf)")
        expect_fields(self, weight_decay="[0, inf)", clip="(0, inf)")


@dataclass(frozen=True)
class TextBudget:
    """How long to train, and how often to look."""

    steps: int = 5000
    """Steps of the optimiser."""
    every: int = 250
    """Validate and save after so many steps: an epoch of the record."""
    batch_size: int = 16
    """Windows in one step."""
    accumulate: int = 1
    """Parts in which a batch goes through the network, one after another."""
    context: int = 256
    """Tokens of a window."""
    valid_tokens: int = 200_000
    """Tokens of the validation text that are looked at, from its beginning; `dendrix lm eval` takes all."""
    sample_tokens: int = 200
    """After each validation, write so many tokens: a sample of what the network has learned. 0 is none."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of matrix products; WKV and membranes are float32 with either."""
    shard: bool = False
    """Whether several processes share out parameters, gradients and the optimiser's moments (FSDP2) instead of holding them all (DDP)."""

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("steps", "every", "batch_size", "accumulate"), "[1, inf)")
        counts |= {"context": "[2, inf)", "valid_tokens": "[2, inf)", "sample_tokens": "[0, inf)"}
        expect_fields(self, whole=counts, **counts)
        expect_one_of(self.precision, ("float32", "bf16"), "precision")
        if self.batch_size % self.accumulate:
            raise InputError(f"accumulate: expected a divisor of batch_size {self.batch_size}, got {self.accumulate}.")

    @property
    def epochs(self) -> int:
        """How often there is a validation."""
        return -(-self.steps // self.every)

    def last_epoch(self, best: int) -> int:
        """The last epoch to train, counted from 0, whichever was best: the rate falls until then."""
        return self.epochs - 1


@dataclass(frozen=True)
class TextRecipe:
    """One experiment on text."""

    data: TextData
    """What to learn."""
    model: SpikeGPTConfig | GPT2Config
    """What learns it."""
    optim: TextOptim = TextOptim()
    """How the parameters move."""
    budget: TextBudget = TextBudget()
    """For how long."""
    l2_wrap: bool = True
    """Whether the largest logits are pulled down a little, as published."""
    seed: int = 0
    """Of the parameters' start, the order of the data and dropout."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), seed=SEEDS)

    def learner(self, splits: "TextSplits", accelerator: Any) -> "TextLearner":
        """What trains the network on these splits."""
        from .learner import TextLearner

        return TextLearner(self, splits, accelerator)
