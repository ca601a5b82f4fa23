"""Source of labelled sentences as tokens."""

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
    """sst2, sst5, mr, subj or trec, or the path of a .tsv, .csv or .jsonl file or of a folder with train, valid and test files."""
    text: str = "text"
    """Column of the sentence in your own files."""
    label: str = "label"
    """Column of the label in your own files."""
    fold: int = 0
    """Tenth of the training sentences, 0 to 9, that replaces a missing test or validation file."""
    tokenizer: str = "words"
    """"words" (of the training sentences, in lower case), "bytes", "learned" (byte pairs), or the path of a tokenizer.json."""
    vocabulary: int = 8000
    """Largest number of words, or of tokens of a learned tokenizer."""
    max_tokens: int = 512
    """Longest sentence, in tokens; longer ones are truncated."""
    root: Path | None = None
    """Folder of nlu.tar.xz; by default the one that DENDRIX_DATA names."""

    def __post_init__(self) -> None:
        expect_fields(self, fold="[0, 9]", vocabulary="[2, inf)", max_tokens="[1, inf)")

    def read(self) -> SentenceSplits:
        """Read the three splits as text."""
        if self.source in TASKS and not Path(self.source).exists():
            return nlu(self.source, self.root, self.fold)
        if not Path(self.source).suffix and not Path(self.source).exists():
            expect_one_of(self.source, TASKS, "source")
        return own_sentences(Path(self.source).expanduser(), text=self.text, label=self.label, fold=self.fold)

    def load(self) -> TokenSplits:
        """Load the three splits as tokens."""
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
