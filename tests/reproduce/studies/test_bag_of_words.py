"""Bag of words, the baseline of sentence classification."""

import torch

from dendrix.data.text.sentences import Sentences, SentenceSplits
from dendrix.reproduce.studies.bag_of_words import bag_of_words


def sentences(count: int, flipped: int = 0) -> Sentences:
    """Good words or bad ones; the last few have the wrong label."""
    texts = tuple("a good and warm film" if i % 2 else "a bad and cold film" for i in range(count))
    y = torch.arange(count) % 2
    y[count - flipped :] = 1 - y[count - flipped :]
    return Sentences(texts, y, ("bad", "good"))


def test_it_weighs_words_and_pairs() -> None:
    found = bag_of_words(SentenceSplits(sentences(40), sentences(10, flipped=1), sentences(20, flipped=2)))
    assert found.valid_accuracy == 0.9
    assert found.accuracy == 0.9
    words, pairs = 7, 8  # a good bad and warm cold film; a-good, good-and, and-warm, warm-film, and the same of the other
    assert found.parameters == words + pairs + 1


def test_it_can_do_without_pairs() -> None:
    """What only the order of two words says, single words do not know."""
    texts = tuple("red green" if i % 2 else "green red" for i in range(40))
    ordered = Sentences(texts, torch.arange(40) % 2, ("bad", "good"))
    splits = SentenceSplits(ordered, ordered, ordered)
    assert bag_of_words(splits).accuracy == 1
    assert bag_of_words(splits, pairs=False).accuracy == 0.5
