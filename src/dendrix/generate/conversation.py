"""One text that a model goes on with, and its memory in a file."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..core import expect_in
from ..core.files import write_atomic
from ..errors import InputError
from .decoder import Decoder
from .sampling import Sampling, sample
from .text_stream import TextStream

_FORMAT = "dendrix-conversation-1"


@dataclass(frozen=True)
class Conversation:
    """A text so far: what the model remembers of it, of a size that does not grow."""

    state: Tensor
    """After all tokens but `next`, [1, N]."""
    next: tuple[int, ...]
    """The last tokens, which the model has not read yet."""

    def reads(self, tokens: Sequence[int]) -> "Conversation":
        """The conversation with more tokens at its end."""
        return replace(self, next=(*self.next, *tokens))

    def save(self, path: Path, model: nn.Module) -> None:
        """Write a file, whole or not at all, that only conversations with this model can be read from."""
        tensors = {"state": self.state.contiguous(), "next": torch.tensor(self.next, dtype=torch.int64)}
        write_atomic(path, safetensors.torch.save(tensors, {"format": _FORMAT, "model": fingerprint(model)}))

    @classmethod
    def load(cls, path: Path, model: nn.Module) -> "Conversation":
        """Read a conversation with this model.

        Raises:
            OSError: there is no such file.
            ValueError: it is no conversation, or one with another model.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: expected a saved conversation, but there is none. Check the path.")
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise InputError(f"{path}: expected a saved conversation, but it cannot be read ({error}). Save it again.") from error
        if about.get("format") != _FORMAT or found.keys() != {"state", "next"}:
            raise InputError(f"{path}: expected a saved conversation, got another file of tensors. Check the path.")
        if about.get("model") != fingerprint(model):
            raise InputError(f"{path}: expected a conversation with this model, got one with another. Load the model it was saved with.")
        return cls(found["state"], tuple(found["next"].tolist()))


def fingerprint(model: nn.Module) -> str:
    """A digest of the weights."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {list(weight.shape)}".encode())
        digest.update(weight.contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def generate(
    decoder: Decoder,
    tokenizer: Any,
    conversation: Conversation,
    sampling: Sampling,
    *,
    max_new_tokens: int,
    stops: Sequence[str] = (),
    generator: torch.Generator | None = None,
) -> Iterator[tuple[str, Conversation]]:
    """Go on with a conversation.

    Args:
        decoder: of the model.
        tokenizer: of the tokenizers library.
        conversation: with at least one token that the model has not read.
        sampling: how tokens are drawn.
        max_new_tokens: at most so many are drawn, at least 1.
        stops: strings that end the text and are not given.
        generator: of the random numbers; None is torch's own.
    Yields:
        after each token the text that is now sure, and the conversation with all tokens so far; joined, the texts are the answer.
    Raises:
        ValueError: there is nothing to read, or an argument does not fit.
    """
    expect_in(max_new_tokens, "[1, inf)", "max_new_tokens")
    if not conversation.next:
        raise InputError("prompt: expected some text, got none. Write a prompt, or load a conversation to go on with.")
    text = TextStream(tokenizer, stops)
    logits, state = decoder.prefill(torch.tensor([conversation.next]), conversation.state)
    for left in range(max_new_tokens - 1, -1, -1):
        drawn = sample(logits, sampling, generator)
        token = int(drawn)
        piece = text.push(token)
        ends = text.stopped or not left
        yield piece + text.finish() if ends else piece, Conversation(state, (token,))
        if ends:
            return
        logits, state = decoder.step(drawn, state)
