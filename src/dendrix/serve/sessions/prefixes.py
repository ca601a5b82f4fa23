"""Digests of the prefixes of a text, under which the states at block ends are kept.

A state at the end of a prefix contains all that the model has read, so that each is used without the states before it. A table by digest
therefore replaces a tree.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

BLOCK = 64
"""Tokens per block."""


class Trail:
    """Digest of the complete blocks of a text that is read step by step.

    Args:
        owner: digest of the API key of the client, whose states are not used for other clients.
    """

    def __init__(self, owner: str):
        self.digest = hashlib.sha256(owner.encode()).digest()
        """Digest of the blocks so far."""
        self._open: list[int] = []

    @property
    def room(self) -> int:
        """Number of tokens to the end of the block."""
        return BLOCK - len(self._open)

    def push(self, tokens: Sequence[int]) -> bool:
        """Add tokens; returns whether a block ends with them.

        Args:
            tokens: at most `room` tokens.
        """
        self._open += tokens
        if len(self._open) < BLOCK:
            return False
        self.digest = hashlib.sha256(self.digest + np.array(self._open, "<i4").tobytes()).digest()
        self._open = []
        return True

    def copy(self) -> "Trail":
        """Return a trail that continues this one independently."""
        other = Trail.at(self.digest)
        other._open = self._open.copy()
        return other

    @classmethod
    def at(cls, digest: bytes) -> "Trail":
        """Return the trail of a text whose last block has this digest.

        Args:
            digest: digest of the blocks so far.
        """
        found = cls("")
        found.digest = digest
        return found


def block_digests(owner: str, tokens: Sequence[int]) -> list[bytes]:
    """Return the digest at the end of each complete block of a text.

    Args:
        owner: as for `Trail`.
        tokens: the text.
    """
    trail, found = Trail(owner), list[bytes]()
    for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
        trail.push(tokens[start : start + BLOCK])
        found.append(trail.digest)
    return found
