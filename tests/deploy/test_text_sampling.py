"""The next token from whole logits."""

import numpy as np
import pytest

from dendrix.deploy import next_token
from dendrix.deploy.text_sampling import random_at
from dendrix.errors import InputError

LOGITS = np.array([0, 3, 3, 1, -2]) * 2**16


def test_greedy_takes_the_first_of_equal_tokens() -> None:
    assert next_token(LOGITS) == 1
    assert next_token(LOGITS, temperature=1, seed=3, steps=9) in (1, 2)


@pytest.mark.parametrize("temperature", [500, 1000, 3000])
def test_frequencies_are_those_of_a_softmax(temperature: int) -> None:
    found = np.bincount([next_token(LOGITS, temperature, seed=5, steps=step) for step in range(4000)], minlength=5) / 4000
    shares = np.exp(LOGITS / 2**16 / (temperature / 1000))
    assert np.abs(found - shares / shares.sum()).max() < 0.03


def test_random_numbers_are_splitmix64() -> None:
    """The first numbers of the generator with seed 1234567, as published with its code."""
    assert [random_at(1234567, position) for position in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_seeds_have_64_bits() -> None:
    found = [next_token(LOGITS, 1000, seed, step) for seed in (2**63, 2**64 - 1) for step in range(20)]
    assert found == [next_token(LOGITS, 1000, np.uint64(seed), step) for seed in (2**63, 2**64 - 1) for step in range(20)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("options", "says"), [({"temperature": -1}, "temperature"), ({"seed": 2**64}, "seed"), ({"seed": -1}, "seed")])
def test_bad_options(options: dict[str, int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        next_token(LOGITS, **options)
