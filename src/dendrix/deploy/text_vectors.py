"""Test vectors of a language model: texts, a checksum of the logits after every token, and continuations."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from ..errors import InputError
from .integer_layer import Ints
from .text_network import IntegerSpikeGPT
from .text_sampling import continued

CONTINUATION = 24
"""Tokens that continue each text."""
TEMPERATURE = 900
"""Of the sampled continuations, in thousandths; the seed is the number of the text."""


class TextVector(NamedTuple):
    """A text and what the reference makes of it."""

    tokens: Ints
    """[T]"""
    checks: list[int]
    """Checksum of the logits after every token, [T]."""
    state: int
    """Checksum of the state after the text."""
    greedy: list[int]
    """The most likely continuation."""
    sampled: list[int]
    """A random continuation."""


def checksum(numbers: Iterable[int]) -> int:
    """FNV-1a of 32-bit numbers, taken as a whole, in 32 bits."""
    found = 2166136261
    for number in numbers:
        found = ((found ^ (number & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return found


def text_vectors(network: IntegerSpikeGPT, texts: Sequence[Ints]) -> list[TextVector]:
    """Run the reference on texts.

    Args:
        network: the network.
        texts: tokens, int64 [T] each.
    Raises:
        InputError: there are no texts, or one is empty or has tokens outside the vocabulary.
    """
    if not len(texts):
        raise InputError("texts: expected at least one for the test vectors, got none. Pass some of the validation text.")
    found = []
    for seed, tokens in enumerate(texts):
        if not len(tokens):
            raise InputError(f"texts: expected at least one token in each, got none in text {seed}. Leave it out.")
        logits, state = network.run(torch.from_numpy(np.asarray(tokens, np.int64)[None]))
        found.append(
            TextVector(
                tokens,
                [checksum(row) for row in logits[0].tolist()],
                checksum(state[0].tolist()),
                list(islice(continued(network, tokens), CONTINUATION)),
                list(islice(continued(network, tokens, TEMPERATURE, seed), CONTINUATION)),
            )
        )
    return found


def text_vectors_json(found: Sequence[TextVector]) -> str:
    """Test vectors as JSON."""
    return json.dumps({"temperature": TEMPERATURE, "texts": [one._replace(tokens=one.tokens.tolist())._asdict() for one in found]})
