"""Conversion of a request to a job: tokenization of the prompts and checks of the limits."""

from dataclasses import dataclass
from typing import Any

import torch

from ..data.text.tokenizers import encode
from ..generate import Decoder, Sampling, TextStream
from .errors import ApiError
from .job import Answer, Job, Prompt
from .limits import Limits
from .request import CompletionRequest


@dataclass(frozen=True)
class Served:
    """The served model."""

    name: str
    decoder: Decoder
    tokenizer: Any
    """Tokenizer of the tokenizers library."""


def prepare(asked: CompletionRequest, served: Served, limits: Limits) -> Job:
    """Create the job of a request.

    Args:
        asked: request.
        served: the language model.
        limits: limits of requests.
    Raises:
        ApiError: 404 for an unknown model, 413 for a prompt that is too long, 422 for invalid token ids, too many new tokens or answers.
    """
    if asked.model != served.name:
        raise ApiError(404, f"model: expected '{served.name}', got '{asked.model}'.", "model", "model_not_found")
    if asked.max_tokens > limits.new_tokens:
        raise ApiError(422, f"max_tokens: expected at most {limits.new_tokens}, got {asked.max_tokens}.", "max_tokens")
    if (count := len(asked.prompt) * asked.n) > limits.running:
        raise ApiError(422, f"n: expected at most {limits.running} answers to all prompts together, got {count}.", "n")
    prompts = []
    for place, prompt in enumerate(asked.prompt):
        tokens = _tokens(prompt, served, limits)
        prompts.append(Prompt(tokens, [_answer(place * asked.n + i, asked, served, tokens) for i in range(asked.n)]))
    return Job(prompts)


def _answer(index: int, asked: CompletionRequest, served: Served, prompt: list[int]) -> Answer:
    """Create an empty answer. With a seed, each answer has its own generator; greedy decoding needs none."""
    sampling = Sampling(asked.temperature, top_p=asked.top_p)
    generator = None if asked.seed is None or not asked.temperature else torch.Generator().manual_seed(asked.seed + index)
    return Answer(index, sampling, generator, TextStream(served.tokenizer, asked.stop, prompt), asked.max_tokens)


def _tokens(prompt: str | list[int], served: Served, limits: Limits) -> list[int]:
    size = served.decoder.config.vocab_size
    ids: list[int] = prompt if isinstance(prompt, list) else encode(served.tokenizer, [prompt.encode()]).tolist()
    if not ids:
        raise ApiError(422, "prompt: expected at least one token, got none.", "prompt")
    if len(ids) > limits.prompt_tokens:
        raise ApiError(413, f"prompt: expected at most {limits.prompt_tokens} tokens, got {len(ids)}. Shorten it.", "prompt", "too_long")
    if min(ids) < 0 or max(ids) >= size:
        raise ApiError(422, f"prompt: expected token ids from 0 to {size - 1}, got {min(ids)} to {max(ids)}.", "prompt")
    return ids


def text_of(prompt: str | list[int], tokenizer: Any) -> str:
    """Return a prompt as text, for answers that repeat it.

    Args:
        prompt: text or token ids.
        tokenizer: tokenizer of the tokenizers library.
    """
    if isinstance(prompt, str):
        return prompt
    stream = TextStream(tokenizer)
    return "".join(map(stream.push, prompt)) + stream.finish()
