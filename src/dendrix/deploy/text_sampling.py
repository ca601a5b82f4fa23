"""Choice of the next token from whole logits: greedy, or random by a seed with the same result on every machine."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from ..core import expect_count
from ..exits.rules.integer_probability import POWERS
from .integer_layer import Ints
from .text_network import IntegerSpikeGPT

_POWERS = np.array(POWERS, np.int64)
_MASK = 2**64 - 1
_SHARPNESS = math.floor(1000 * 2**16 * math.log2(math.e) + 0.5)
"""log2(e) / 256 in 24 fractional bits, for a temperature of one thousandth and logits in 16 fractional bits."""


def next_token(logits: Ints, temperature: int = 0, seed: int = 0, steps: int = 1) -> int:
    """Choose a token.

    A token that lies n / 256 powers of two below the most likely one, rounded down, has the share 2^(-n / 256) of it, in 30 fractional
    bits. The random number is splitmix64 (Steele, Lea and Flood 2014) of the seed and of the number of tokens so far.

    Args:
        logits: integer logits of `IntegerSpikeGPT.run`, [V].
        temperature: in thousandths; 0 always chooses the most likely token, the first of equal ones.
        seed: from 0 to 2^64 - 1.
        steps: number of tokens read so far.
    Raises:
        InputError: the temperature or the seed is out of range.
    """
    temperature = expect_count(temperature, "[0, 4294967295]", "temperature")
    seed = expect_count(seed, "[0, 18446744073709551615]", "seed")
    best = int(logits.argmax())
    if not temperature:
        return best
    sharpness = max((_SHARPNESS + temperature // 2) // temperature, 1)
    z = ((logits[best] - logits) * sharpness) >> 24
    shares = np.where(z >> 8 > 30, 0, _POWERS[z & 255] >> np.minimum(z >> 8, 30))
    total, chance = int(shares.sum()), random_at(seed, steps) >> 32
    left = (total >> 32) * chance + (((total & 0xFFFFFFFF) * chance) >> 32)
    found = int(np.searchsorted(shares.cumsum(), left, side="right"))
    return found if found < len(logits) else best


def random_at(seed: int, position: int) -> int:
    """Random number of 64 bits: splitmix64 as a function of the position."""
    z = (seed + (position + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def continued(network: IntegerSpikeGPT, tokens: Ints, temperature: int = 0, seed: int = 0) -> Iterator[int]:
    """Yield the tokens that continue a text, without end.

    Args:
        network: the network.
        tokens: the text so far, at least one token, [T].
        temperature, seed: as in `next_token`.
    """
    steps = len(tokens)
    logits, state = network.run(torch.from_numpy(np.asarray(tokens, np.int64)[None]))
    while True:
        token = next_token(logits[0, -1].numpy(), temperature, seed, steps)
        yield token
        logits, state = network.run(torch.tensor([[token]]), state)
        steps += 1
