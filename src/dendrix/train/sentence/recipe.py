"""Recipe for sentence classifiers. Every field is an option on the command line."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...checks import SEEDS
from ...core import expect_fields, expect_one_of
from ...errors import InputError
from ...models.spikegpt.blocks import Spikes
from ...models.spikegpt.initialisation import Start
from ...models.spikegpt.neurons import PUBLISHED, NeuronConfig
from ..text.recipe import TextOptim
from .data import SentenceData

if TYPE_CHECKING:
    from ...data.text.token_sentences import TokenSplits
    from .learner import SentenceLearner

Pooling = Literal["mean", "last"]


@dataclass(frozen=True)
class SentenceModel:
    """Configuration of a SpikeGPT with a classifier as its head."""

    pretrained: str | None = None
    """Run of a SpikeGPT to fine-tune, with its own tokenizer, sizes, spikes and neurons; None trains from scratch."""
    embedding_scale: float = 0.1
    """Factor of the pretrained embedding where only its signs are read: the outputs stay the same, and fine-tuning changes the code of a
    token in fewer steps. 1 leaves the embedding as it is."""
    pooling: Pooling = "mean"
    """Decide by the mean of the outputs after every token, or by the last output."""
    width: int = 64
    """Width of the network, d."""
    layers: int = 2
    """Number of blocks."""
    spikes: Spikes = "output"
    """Position of the neurons, as in `SpikeGPTConfig`."""
    start: Start = "rwkv"
    """Scheme of the initial weights, as in `SpikeGPTConfig`."""
    neurons: NeuronConfig = PUBLISHED
    """Kind of neurons, as in `SpikeGPTConfig`."""
    dropout: float = 0.5
    """Dropout probability after each block, also for a pretrained network."""

    def __post_init__(self) -> None:
        expect_one_of(self.pooling, get_args(Pooling), "pooling")
        expect_fields(self, embedding_scale="(0, inf)")
        if self.pretrained is None and self.embedding_scale != SentenceModel.embedding_scale:
            raise InputError(f"model.embedding_scale: expected none without model.pretrained, got {self.embedding_scale:g}. Leave it out.")
        for name in ("width", "layers", "spikes", "start", "neurons") if self.pretrained is not None else ():
            if (value := getattr(self, name)) != getattr(SentenceModel, name):
                raise InputError(f"model.{name}: expected none beside model.pretrained, whose run has its own, got {value}. Leave it out.")


@dataclass(frozen=True)
class SentenceBudget:
    """Length of the training."""

    epochs: int = 4
    """Passes over the training sentences."""
    batch_size: int = 32
    """Sentences in one step of the optimiser."""
    patience: int = 2
    """Stop after this many epochs without a better validation accuracy."""
    pool: int = 8
    """Number of batches that are sorted by length together, to reduce padding; 1 mixes all lengths."""
    precision: Literal["float32", "bf16"] = "float32"
    """Precision of matrix products; WKV and membranes are always float32."""

    def __post_init__(self) -> None:
        counts = {"epochs": "[1, inf)", "batch_size": "[1, inf)", "patience": "[0, inf)", "pool": "[1, inf)"}
        expect_fields(self, whole=counts, **counts)
        expect_one_of(self.precision, ("float32", "bf16"), "precision")

    def last_epoch(self, best: int) -> int:
        """Return the last epoch to train, counted from 0, if none is better than epoch `best`."""
        return min(best + self.patience, self.epochs - 1)


@dataclass(frozen=True)
class SentenceRecipe:
    """One experiment on sentences."""

    data: SentenceData
    """Source of the data."""
    model: SentenceModel
    """Configuration of the network."""
    optim: TextOptim
    """Settings of the optimiser."""
    budget: SentenceBudget = SentenceBudget()
    """Length of the training."""
    seed: int = 0
    """Seed of the initial parameters, the data order and dropout."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), seed=SEEDS)
        if self.model.pretrained is not None:
            tokenizer = str(Path(self.model.pretrained) / "tokenizer.json")
            if (given := self.data.tokenizer) not in (SentenceData.tokenizer, tokenizer):
                raise InputError(
                    f"data.tokenizer: expected none beside model.pretrained, whose run has its own, got {given}. Leave it out."
                )
            object.__setattr__(self, "data", replace(self.data, tokenizer=tokenizer))

    def learner(self, splits: "TokenSplits", accelerator: Any) -> "SentenceLearner":
        """Build the learner of this recipe on the given splits."""
        from .learner import SentenceLearner

        return SentenceLearner(self, splits, accelerator)
