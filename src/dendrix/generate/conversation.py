"""Conversations: a text continued by a model, with a state that can be saved."""

import json
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..core import expect_in
from ..core.files import write_atomic
from ..errors import InputError
from .decoder import Decoder
from .packing import fingerprint
from .sampling import Sampler, Sampling, draw
from .text_stream import TextStream

_FORMAT = "dendrix-conversation-1"


@dataclass(frozen=True)
class Conversation:
    """State of a text, of constant size."""

    state: Tensor
    """State of the decoder after all tokens except `next`, float32 [1, N]."""
    next: tuple[int, ...]
    """Last tokens, not yet read by the model."""
    read: int = 0
    """Number of tokens that the model has read; 0 if unknown."""

    def reads(self, tokens: Sequence[int]) -> "Conversation":
        """Return the conversation with more tokens at its end.

        Args:
            tokens: token ids.
        """
        return replace(self, next=(*self.next, *tokens))

    def save(self, path: Path, model: nn.Module) -> None:
        """Write the conversation atomically; `load` accepts the file for the same model only.

        Args:
            path: file to write.
            model: model of the conversation, whose weights are hashed.
        Raises:
            OSError: the file cannot be written.
        """
        write_atomic(path, self.to_bytes(fingerprint(model)))

    @classmethod
    def load(cls, path: Path, model: nn.Module) -> "Conversation":
        """Read a conversation.

        Args:
            path: file written by `save`.
            model: model of the conversation.
        Raises:
            OSError: the file does not exist.
            InputError: the file is not a conversation, or one with another model.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: expected a saved conversation, but it does not exist. Check the path.")
        return cls.from_bytes(path.read_bytes(), fingerprint(model), str(path))

    def to_bytes(self, model: str) -> bytes:
        """Return the conversation in the format safetensors, as in the file of `save`.

        Args:
            model: `fingerprint` of the model.
        """
        tensors = {"state": self.state.contiguous(), "next": torch.tensor(self.next, dtype=torch.int64)}
        about = {"format": _FORMAT, "model": model, "read": str(self.read)}
        return safetensors.torch.save(tensors, about | {"crc32": _checksum(safetensors.torch.save(tensors))})

    @classmethod
    def from_bytes(cls, content: bytes, model: str, name: str = "conversation") -> "Conversation":
        """Return the conversation that `to_bytes` has written.

        Args:
            content: result of `to_bytes`.
            model: `fingerprint` of the model.
            name: beginning of error messages, such as the name of the file.
        Raises:
            InputError: the content is not a conversation, or one with another model.
        """
        try:
            found = safetensors.torch.load(content)
            about = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__") or {}
        except (SafetensorError, KeyError) as error:  # KeyError: a data type that torch does not have
            raise InputError(f"{name}: expected a saved conversation, but it cannot be read ({error}). Save it again.") from error
        if about.get("format") != _FORMAT or found.keys() != {"state", "next"}:
            raise InputError(f"{name}: expected a saved conversation, got another file of tensors. Check the path.")
        if about.get("model") != model:
            raise InputError(f"{name}: expected a conversation with this model, got one with another. Load the model it was saved with.")
        if found["next"].dtype != torch.int64 or found["next"].dim() != 1:
            raise InputError(f"{name}: expected the tokens to continue with, got {found['next'].dtype}. Save it again.")
        if about.get("crc32", kept := _checksum(content)) != kept:  # earlier versions wrote none
            raise InputError(f"{name}: expected a state with the checksum {about['crc32'][:40]}, got {kept}: it is damaged. Copy it again.")
        read = about.get("read", "0")
        if not (read.isascii() and read.isdigit() and len(read) < 19):
            raise InputError(f"{name}: expected the number of tokens read, got '{read[:40]}'. Save it again.")
        return cls(found["state"], tuple(found["next"].tolist()), int(read))


def _checksum(content: bytes) -> str:
    """CRC-32 of the tensors of a file in the format safetensors, which checks the header only."""
    return str(zlib.crc32(memoryview(content)[8 + int.from_bytes(content[:8], "little") :]))


def generate(
    decoder: Decoder,
    tokenizer: Any,
    conversation: Conversation,
    sampling: Sampling,
    *,
    max_new_tokens: int,
    stops: Sequence[str] = (),
    ends: Collection[int] = (),
    generator: torch.Generator | None = None,
) -> Iterator[tuple[str, Conversation]]:
    """Continue a conversation.

    Args:
        decoder: decoder of the model.
        tokenizer: tokenizer of the tokenizers library.
        conversation: conversation with at least one token that the model has not read.
        sampling: sampling parameters.
        max_new_tokens: largest number of new tokens, at least 1.
        stops: strings that end the text; they are not part of it.
        ends: tokens that end the text, such as that of the end of a document; they are not part of it.
        generator: random number generator; None takes that of torch.
    Yields:
        after each token, the text that is complete (empty while characters or stop strings are incomplete), and the conversation with all
        tokens so far.
    Raises:
        InputError: the conversation has no unread token, or an argument is out of range.
    """
    expect_in(max_new_tokens, "[1, inf)", "max_new_tokens")
    if not conversation.next:
        raise InputError("prompt: expected some text, got none. Pass a prompt, or load a conversation to continue.")
    text = TextStream(tokenizer, stops, conversation.next)
    sampler = Sampler(sampling, decoder.config.vocab_size, conversation.next, ends, generator)
    logits, state = decoder.prefill(torch.tensor([conversation.next]), conversation.state)
    read = conversation.read + len(conversation.next)
    for left in range(max_new_tokens - 1, -1, -1):
        drawn = draw(logits, [sampler])
        token = int(drawn)
        piece = "" if token in ends else text.push(token)
        last = token in ends or text.stopped or not left
        yield piece + text.finish() if last else piece, Conversation(state, (token,), read)
        if last:
            return
        logits, state = decoder.step(drawn, state)
        read += 1
