"""Documents of the tasks. All sentences were written for dendrix."""

import math
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

_HARBOUR = Path(__file__).parents[2] / "src/dendrix/samples/novels/harbour.txt"

_ENDINGS = (
    ("He opened the door and went into the", ("house", "spoon", "thought", "green")),
    ("She sat down at the table and began to", ("eat", "window", "slowly", "blue")),
    ("The ship left the harbour and put out to", ("sea", "bread", "laugh", "old")),
    ("The old man shook his", ("head", "river", "winter", "carpet")),
    ("They walked along the road for a long", ("time", "stone", "bright", "knew")),
    ("I beg your", ("pardon", "kitchen", "seven", "running")),
    ("It was raining, so he took his", ("umbrella", "sunrise", "silence", "ocean")),
    ("The clock on the wall struck", ("twelve", "butter", "lovely", "the")),
    ("He put his hand into his", ("pocket", "Tuesday", "weather", "flying")),
    ("She could not help", ("laughing", "laughed", "mountains", "of")),
    ("The sun was going down behind the", ("hills", "hungry", "asked", "since")),
    ("He read the letter and then threw it into the", ("fire", "honest", "quick", "always")),
    ("At last the long night was", ("over", "chair", "cups", "him")),
    ("There was not a word to be", ("said", "table", "red", "soon")),
    ("My dear sir, I am very glad to", ("see you", "see of", "the see", "you glad")),
    ("They had been married for ten", ("years", "noises", "yellow", "quickly")),
)
"""A sentence and its endings, of which the first is right."""

_WORDS = (
    ("It was impossib", "le"), ("He opened the windo", "w"), ("She was a very beautif", "ul"), ("I have the hono", "ur"),
    ("There were a great many peop", "le"), ("They lived in the same neighbourh", "ood"), ("He looked at her with astonish", "ment"),
    ("For the first time in his li", "fe"), ("Upon my wo", "rd"), ("The old gentlem", "an"), ("She did not altoge", "ther"),
    ("I beg your pard", "on"), ("It was the middle of the nig", "ht"), ("He could not rememb", "er"), ("You must not forg", "et"),
    ("The clock upon the mantelpi", "ece"),
)  # fmt: skip
"""A beginning that ends within a word, and the rest of the word."""


def harbour(**_: Any) -> DatasetDict:
    """The sample text as one document."""
    return _test([{"text": _HARBOUR.read_text(encoding="utf-8")}])


def endings(**_: Any) -> DatasetDict:
    """Sentences with four endings each, turned so that the right one is not always the first."""
    documents = []
    for i, (text, choices) in enumerate(_ENDINGS):
        turn = i % len(choices)
        documents.append({"text": text, "choices": [*choices[turn:], *choices[:turn]], "label": -turn % len(choices)})
    return _test(documents)


def words(**_: Any) -> DatasetDict:
    """Beginnings of sentences and the rest of their last word."""
    return _test([{"text": text, "word": word} for text, word in _WORDS])


def per_byte(document: dict[str, str], results: list[float]) -> dict[str, tuple[float, int]]:
    """The log-likelihood of a document and its number of bytes, of which `bits_per_byte` is made."""
    (nats,) = results
    assert math.isfinite(nats)
    return {"bits_per_byte": (nats, len(document["text"].encode()))}


def _test(documents: list[dict[str, Any]]) -> DatasetDict:
    return DatasetDict(test=Dataset.from_list(documents))
