"""Source of text as tokens."""

from dataclasses import dataclass
from pathlib import Path

from ...core import expect_fields
from ...data.text.corpora import Corpus, corpus
from ...data.text.tokenizers import as_text, byte_tokenizer, character_tokenizer, learned_tokenizer, piece_tokenizer, read_tokenizer
from ...data.text.tokens import TextSplits, tokenised
from ..recipe import DataSource


@dataclass(frozen=True)
class TextData(DataSource):
    """A text and its tokenizer."""

    name = "text"

    text: str = "novels"
    """Name of a published corpus, several joined by "+", or path of a text file or of a folder of text files."""
    tokenizer: str = "bytes"
    """"bytes", "characters" (of the training text), "learned" (byte pairs, see `vocabulary`), "pieces" (of lower-case words, for
    classifiers), or the path of a tokenizer.json."""
    vocabulary: int = 4096
    """Number of tokens of a learned tokenizer, or of pieces."""
    megabytes: float | None = None
    """Number of million bytes to train on, the same share of the beginning of every training text; None uses all."""
    root: Path | None = None
    """Folder of published corpora; by default the one that DENDRIX_DATA names."""

    def __post_init__(self) -> None:
        expect_fields(self, vocabulary="[257, inf)", megabytes="(0, inf)")

    def load(self) -> TextSplits:
        """Load the three splits as tokens."""
        whole = corpus(self.text, self.root)
        text = whole if self.megabytes is None else Corpus(_shortened(whole.train, int(self.megabytes * 1e6)), whole.valid, whole.test)
        return tokenised(text, self._tokenizer(text))

    def _tokenizer(self, text: Corpus) -> object:
        if self.tokenizer == "bytes":
            return byte_tokenizer()
        if self.tokenizer == "characters":
            return character_tokenizer(as_text(b"".join(text.train)))
        if self.tokenizer == "learned":
            return learned_tokenizer(map(as_text, text.train), self.vocabulary)
        if self.tokenizer == "pieces":
            return piece_tokenizer(map(as_text, text.train), self.vocabulary)
        return read_tokenizer(Path(self.tokenizer).expanduser())


def _shortened(documents: tuple[bytes, ...], size: int) -> tuple[bytes, ...]:
    """Return the same share of the beginning of every document, cut at the end of a line, to keep all authors."""
    share = min(1.0, size / sum(map(len, documents)))
    return tuple(document[: document.find(b"\n", int(len(document) * share)) + 1 or len(document)] for document in documents)
