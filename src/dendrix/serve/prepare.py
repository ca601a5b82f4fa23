"""Conversion of a request to a job: tokenization of the prompts and checks of the limits."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from ..checks import shown
from ..data.text.detokenization import TokenBytes
from ..data.text.tokenizers import encode
from ..generate import Decoder, Sampler, Sampling, TextStream
from .chat import ChatLayout
from .errors import ApiError
from .job import Answer, Job, Prompt
from .limits import Limits
from .request import ChatRequest, CompletionRequest, Message


@dataclass(frozen=True)
class Served:
    """The served model."""

    name: str
    decoder: Decoder
    tokenizer: Any
    """Tokenizer of the tokenizers library."""
    ends: tuple[int, ...] = ()
    """Tokens that end a text."""
    layout: ChatLayout = field(default_factory=ChatLayout)
    """Layout of conversations."""

    @cached_property
    def token_bytes(self) -> TokenBytes:
        """The bytes of single tokens."""
        return TokenBytes(self.tokenizer)

    @property
    def vocab_size(self) -> int:
        """Size of the vocabulary of the model."""
        size: int = self.decoder.config.vocab_size
        return size

    def expect_name(self, name: str | None) -> None:
        """Check the name of the model in a request, which may be None where it is optional.

        Raises:
            ApiError: 404 for an unknown model.
        """
        if name is not None and name != self.name:
            raise ApiError(404, f"model: expected '{self.name}', got '{name[:80]}'.", "model", "model_not_found")

    def tokens_of(self, messages: list[Message], following: bool = False) -> list[int]:
        """Return the prompt of a conversation as tokens.

        Args:
            messages: the messages.
            following: whether they follow an answer that the model has read.
        Raises:
            ApiError: 422 if the chat template refuses the messages.
        """
        render = self.layout.following if following else self.layout.prompt
        prompt = render([message.model_dump(exclude_defaults=True) for message in messages])
        tokens: list[int] = encode(self.tokenizer, [prompt.encode()], special=False).tolist()
        return tokens


def prepare(asked: CompletionRequest | ChatRequest, served: Served, limits: Limits, following: bool = False) -> Job:
    """Create the job of a request.

    Args:
        asked: request.
        served: the language model.
        limits: limits of requests.
        following: whether the messages of a chat follow an answer that the model has read.
    Raises:
        ApiError: 404 for an unknown model, 413 for a prompt that is too long, 422 for invalid token ids, too many new tokens or answers.
    """
    served.expect_name(asked.model)
    most, name = _most(asked, limits)
    if most > limits.new_tokens:
        raise ApiError(422, f"{name}: expected at most {limits.new_tokens}, got {most}.", name)
    if asked.min_tokens > most:
        raise ApiError(422, f"min_tokens: expected at most {most}, the largest number of tokens, got {asked.min_tokens}.", "min_tokens")
    if isinstance(asked, ChatRequest):
        given, name, top, scored = (
            [served.tokens_of(asked.messages, following)],
            "messages",
            asked.top_logprobs if asked.logprobs else None,
            False,
        )
    else:
        given, name, top, scored = [_tokens(prompt, served) for prompt in asked.prompt], "prompt", asked.logprobs, asked.echo
    if (count := len(given) * asked.n) > limits.running:
        raise ApiError(422, f"n: expected at most {limits.running} answers to all prompts together, got {count}.", "n")
    sampling, ends = _sampling(asked, served)
    stops = [*asked.stop, *(served.layout.stops if isinstance(asked, ChatRequest) else ())]
    prompts = []
    for place, tokens in enumerate(given):
        _check(tokens, served, limits, name)
        answers = []
        for index in range(place * asked.n, (place + 1) * asked.n):
            # With a seed, each answer has its own generator; greedy decoding needs none.
            generator = None if asked.seed is None or not asked.temperature else torch.Generator().manual_seed(asked.seed + index)
            sampler = Sampler(sampling, served.vocab_size, tokens, ends, generator)
            answers.append(Answer(index, sampler, TextStream(served.tokenizer, stops, tokens), most, top))
        prompts.append(Prompt(tokens, answers, top if scored else None))
    return Job(prompts)


def _most(asked: CompletionRequest | ChatRequest, limits: Limits) -> tuple[int, str]:
    """Return the largest number of new tokens, and the name of the field that says so."""
    if isinstance(asked, ChatRequest) and asked.max_completion_tokens is not None:
        return asked.max_completion_tokens, "max_completion_tokens"
    return limits.new_tokens if asked.max_tokens is None else asked.max_tokens, "max_tokens"


def _sampling(asked: CompletionRequest | ChatRequest, served: Served) -> tuple[Sampling, set[int]]:
    """Return the sampling parameters, and the tokens that end an answer."""
    bias = tuple((int(token), number) for token, number in asked.logit_bias.items())
    _expect_known([token for token, _ in bias], served, "logit_bias")
    _expect_known(asked.stop_token_ids, served, "stop_token_ids")
    sampling = Sampling(
        asked.temperature,
        top_k=asked.top_k if asked.top_k > 0 else None,
        top_p=asked.top_p,
        min_p=asked.min_p,
        repetition_penalty=asked.repetition_penalty,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        logit_bias=bias,
        min_tokens=asked.min_tokens,
    )
    return sampling, {*asked.stop_token_ids, *(() if asked.ignore_eos else served.ends)}


def _tokens(prompt: str | list[int], served: Served) -> list[int]:
    return prompt if isinstance(prompt, list) else encode(served.tokenizer, [prompt.encode()]).tolist()


def _check(ids: list[int], served: Served, limits: Limits, field: str) -> None:
    if not ids:
        raise ApiError(422, f"{field}: expected at least one token, got none.", field)
    if len(ids) > limits.prompt_tokens:
        raise ApiError(413, f"{field}: expected at most {limits.prompt_tokens} tokens, got {len(ids)}. Shorten it.", field, "too_long")
    _expect_known(ids, served, field)


def _expect_known(ids: list[int], served: Served, field: str) -> None:
    if ids and (min(ids) < 0 or max(ids) >= served.vocab_size):
        raise ApiError(
            422, f"{field}: expected token ids from 0 to {served.vocab_size - 1}, got {shown(min(ids))} to {shown(max(ids))}.", field
        )
