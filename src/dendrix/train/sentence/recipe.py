"""Recipe for sentence classifiers. Every field is an option on the command line."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...checks import SEEDS
from ...core import expect_fields, expect_one_of
from ...models.spikegpt.blocks import Spikes
from ...models.spikegpt.initialisation import Start
from ..text.recipe import TextOptim
from .data import SentenceData

if TYPE_CHECKING:
    from ...data.text.token_sentences import TokenSplits
    from .learner import SentenceLearner

Pooling = Literal["mean", "last"]


@dataclass(frozen=True)
class SentenceModel:
    """What learns: a SpikeGPT with a classifier in the place of its head."""

    pretrained: str | None = None
    """The run of a SpikeGPT that goes on learning, with its own tokenizer, sizes and spikes; None starts from scratch."""
    pooling: Pooling = "mean"
    """What decides: the mean of the answers after every token, or the last one."""
    width: int = 64
    """Channels of the stream, d."""
    layers: int = 2
    """Blocks."""
    spikes: Spikes = "output"
    """Where the neurons stand, as in `SpikeGPTConfig`."""
    start: Start = "rwkv"
    """How weights begin, as in `SpikeGPTConfig`."""
    dropout: float = 0.5
    """Probability that a channel of the stream is dropped, after each block; of a pretrained network, too."""

    def __post_init__(self) -> None:
        expect_one_of(self.pooling, get_args(Pooling), "pooling")


@dataclass(frozen=True)
class SentenceBudget:
    """How long to train."""

    epochs: int = 4
    """Passes over the training sentences."""
    batch_size: int = 32
    """Sentences in one step of the optimiser."""
    patience: int = 2
    """Stop after so many epochs without a better validation accuracy."""
    pool: int = 8
    """Batches that are filled together with sentences of similar length; 1 mixes all lengths."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of matrix products; WKV and membranes are float32 with either."""

    def __post_init__(self) -> None:
        counts = {"epochs": "[1, inf)", "batch_size": "[1, inf)", "patience": "[0, inf)", "pool": "[1, inf)"}
        expect_fields(self, whole=counts, **counts)
        expect_one_of(self.precision, ("float32", "bf16"), "precision")

    def last_epoch(self, best: int) -> int:
        """The last epoch to train, counted from 0, if none is better than the epoch `best`."""
        return min(best + self.patience, self.epochs - 1)


@dataclass(frozen=True)
class SentenceRecipe:
    """One experiment on sentences."""

    data: SentenceData
    """What to learn."""
    model: SentenceModel
    """What learns it."""
    optim: TextOptim
    """How the parameters move."""
    budget: SentenceBudget = SentenceBudget()
    """For how long."""
    seed: int = 0
    """Of the parameters' start, the order of the data and dropout."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), seed=SEEDS)
        if self.model.pretrained is not None:
            tokenizer = str(Path(self.model.pretrained) / "tokenizer.json")
            object.__setattr__(self, "data", replace(self.data, tokenizer=tokenizer))

    def learner(self, splits: "TokenSplits", accelerator: Any) -> "SentenceLearner":
        """What trains the network on these splits."""
        from .learner import SentenceLearner

        return SentenceLearner(self, splits, accelerator)
