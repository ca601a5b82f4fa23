"""A recipe for classifiers of sentences. Every field can be set on the command line."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from ...checks import SEEDS
from ...core import expect_fields, expect_one_of
from ...data.text.nlu import TASKS, nlu
from ...data.text.sentences import SentenceSplits, own_sentences
from ...data.text.token_sentences import TokenSplits, encoded_sentences
from ...data.text.tokenizers import byte_tokenizer, learned_tokenizer, read_tokenizer, word_tokenizer
from ...models.spikegpt.blocks import Spikes
from ...models.spikegpt.initialisation import Start
from ..text.recipe import TextOptim

Pooling = Literal["mean", "last"]


@dataclass(frozen=True)
class SentenceData:
    """Labelled sentences and what they are cut into."""

    source: str = "sst2"
    """sst2, sst5, mr, subj or trec; or the path of a .tsv, .csv or .jsonl file, or of a folder with train, valid and test ones."""
    text: str = "text"
    """In files of your own, the column of the sentence."""
    label: str = "label"
    """In files of your own, the column of its label."""
    fold: int = 0
    """Where there is no test or validation file, which tenth of the training is cut out for it, 0 to 9."""
    tokenizer: str = "words"
    """"words" (of the training sentences, lower case), "bytes", "learned" (byte pairs of the training), or the path of a tokenizer.json."""
    vocabulary: int = 8000
    """Words, or tokens of a learned tokenizer, at most."""
    max_tokens: int = 512
    """The rest of a longer sentence is not read."""
    root: Path | None = None
    """Where nlu.tar.xz lies; by default the folder that DENDRIX_DATA names."""

    def __post_init__(self) -> None:
        expect_fields(self, fold="[0, 9]", vocabulary="[2, inf)", max_tokens="[1, inf)")

    def read(self) -> SentenceSplits:
        """The three splits as text."""
        if self.source in TASKS and not Path(self.source).exists():
            return nlu(self.source, self.root, self.fold)
        if not Path(self.source).suffix and not Path(self.source).exists():
            expect_one_of(self.source, TASKS, "source")
        return own_sentences(Path(self.source).expanduser(), text=self.text, label=self.label, fold=self.fold)

    def load(self) -> TokenSplits:
        """The three splits as tokens."""
        sentences = self.read()
        tokenizer = self._tokenizer(sentences.train.texts)
        train, valid, test = (encoded_sentences(split, tokenizer, self.max_tokens) for split in sentences)
        return TokenSplits(train, valid, test, tokenizer)

    def _tokenizer(self, texts: tuple[str, ...]) -> Any:
        if self.tokenizer == "words":
            return word_tokenizer(texts, self.vocabulary)
        if self.tokenizer == "bytes":
            return byte_tokenizer()
        if self.tokenizer == "learned":
            return learned_tokenizer(texts, self.vocabulary)
        return read_tokenizer(Path(self.tokenizer).expanduser())


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
        expect_fields(self, epochs="[1, inf)", batch_size="[1, inf)", patience="[0, inf)", pool="[1, inf)")

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
        expect_fields(self, seed=SEEDS)
        if self.model.pretrained is not None:
            tokenizer = str(Path(self.model.pretrained) / "tokenizer.json")
            object.__setattr__(self, "data", replace(self.data, tokenizer=tokenizer))
