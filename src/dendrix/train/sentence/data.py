"""A source of labelled sentences as tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core import expect_fields, expect_one_of
from ...data.text.nlu import TASKS, nlu
from ...data.text.sentences import SentenceSplits, own_sentences
from ...data.text.token_sentences import TokenSplits, encoded_sentences
from ...data.text.tokenizers import byte_tokenizer, learned_tokenizer, read_tokenizer, word_tokenizer
from ..recipe import DataSource


@dataclass(frozen=True)
class SentenceData(DataSource):
    """Labelled sentences and their tokenizer."""

    name = "sentences"

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
