"""Sampling of the next token: greedy, or random with temperature, truncation, penalties and biases."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..core import expect, expect_fields, expect_in
from ..errors import InputError


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters, with the names and meanings of vLLM. The logits are changed by `logit_bias`, the penalties and `min_tokens`,
    and then, in the order of transformers, by `temperature`, `top_k`, `top_p` and `min_p`.

    Raises:
        InputError: a field is out of range.
    """

    temperature: float = 1.0
    """Divisor of the logits; 0 selects the most likely token."""
    top_k: int | None = None
    """Number of most likely tokens to sample from; None samples from all."""
    top_p: float = 1.0
    """Sample from the smallest set of most likely tokens with at least this total probability."""
    min_p: float = 0.0
    """Sample from the tokens with at least this part of the probability of the most likely one."""
    repetition_penalty: float = 1.0
    """Divisor of the positive logits, and factor of the negative ones, of tokens in the prompt or the new text."""
    frequency_penalty: float = 0.0
    """Subtracted from the logit of a token for each of its occurrences in the new text."""
    presence_penalty: float = 0.0
    """Subtracted from the logits of tokens that occur in the new text."""
    logit_bias: tuple[tuple[int, float], ...] = ()
    """Pairs of a token and a number that is added to its logit."""
    min_tokens: int = 0
    """Number of new tokens before which the text cannot end with a token of `Sampler.ends`."""

    def __post_init__(self) -> None:
        expect_fields(self, temperature="[0, inf)", top_k="[1, inf)", top_p="(0, 1]", min_p="[0, 1]", min_tokens="[0, inf)")
        expect_fields(self, repetition_penalty="[0.001, 1000]", frequency_penalty="[-1000, 1000]", presence_penalty="[-1000, 1000]")
        for _, bias in self.logit_bias:
            expect_in(bias, "[-1e9, 1e9]", "logit_bias")

    @property
    def penalises(self) -> bool:
        """True if earlier tokens change the logits."""
        return (self.repetition_penalty, self.frequency_penalty, self.presence_penalty) != (1, 0, 0)


class Sampler:
    """Sampling of one text: its parameters, its random numbers, and the tokens that count for its penalties.

    Args:
        sampling: sampling parameters.
        vocab_size: size of the vocabulary, V.
        prompt: tokens before the new text.
        ends: tokens that end the text.
        generator: random number generator; None takes that of torch.
    Raises:
        InputError: a token of `logit_bias` or `ends` is not in the vocabulary.
    """

    def __init__(
        self,
        sampling: Sampling,
        vocab_size: int,
        prompt: Sequence[int] = (),
        ends: Collection[int] = (),
        generator: torch.Generator | None = None,
    ):
        _expect_tokens((token for token, _ in sampling.logit_bias), vocab_size, "logit_bias")
        _expect_tokens(ends, vocab_size, "ends")
        self.sampling, self.ends, self.generator = sampling, tuple(ends), generator
        self.tokens = 0
        """Number of new tokens so far."""
        self.bias = _columns(sampling.logit_bias)
        """Tokens and the numbers that are added to their logits; None without."""
        self._vocab_size, self._prompt = vocab_size, prompt

    def add(self, token: int) -> None:
        """Count a new token.

        Args:
            token: token id.
        """
        self.tokens += 1
        if self.sampling.penalises:
            self.seen[token] = True
            self.counts[token] += 1

    @cached_property
    def seen(self) -> Tensor:
        """True for the tokens of the prompt and the new text, [V]. Created at its first use, as texts may have to wait."""
        seen = torch.zeros(self._vocab_size, dtype=torch.bool)
        seen[list(self._prompt)] = True
        return seen

    @cached_property
    def counts(self) -> Tensor:
        """Occurrences in the new text, [V]."""
        return torch.zeros(self._vocab_size)


def draw(logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    """Sample a token of every text and count it. The token of a row does not depend on the other rows.

    Args:
        logits: [B, V].
        samplers: one for each row.
    Returns:
        token ids, int64 [B].
    Raises:
        FloatingPointError: a logit is NaN or infinite.
    """
    tokens = _drawn(logits, samplers)
    for sampler, token in zip(samplers, tokens.tolist(), strict=True):
        sampler.add(token)
    return tokens


def sample(logits: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """Sample a token for every row, with the same parameters.

    Args:
        logits: [B, V].
        sampling: sampling parameters without penalties, which need a `Sampler`.
        generator: random number generator, shared by the rows; None takes that of torch.
    Returns:
        token ids, int64 [B].
    Raises:
        FloatingPointError: a logit is NaN or infinite.
        InputError: the parameters have penalties.
    """
    expect(logits, "B V", "logits")
    if sampling.penalises:
        raise InputError("sampling: expected no penalties, which depend on earlier tokens, got some. Use a Sampler and draw.")
    return _drawn(logits, [Sampler(sampling, logits.shape[1], generator=generator)] * len(logits))


def _expect_tokens(tokens: Iterable[int], vocab_size: int, name: str) -> None:
    for token in tokens:
        if not 0 <= token < vocab_size:
            raise InputError(f"{name}: expected token ids from 0 to {vocab_size - 1}, got {token}. Use the tokenizer of this model.")


def _drawn(logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    expect(logits, "B V", "logits")
    if not bool(torch.isfinite(logits).all()):
        raise FloatingPointError("logits: expected finite numbers, got NaN or infinity. Did the training diverge?")
    logits = _adjusted(logits, samplers)
    tokens = logits.argmax(1)
    random = [i for i, sampler in enumerate(samplers) if sampler.sampling.temperature > 0]
    if random:
        shares = _shares(logits[random], [samplers[i].sampling for i in random])
        tokens[random] = _picked(shares, _uniform([samplers[i].generator for i in random]))
    return tokens


def _uniform(generators: Sequence[torch.Generator | None]) -> Tensor:
    """Draw a number from [0, 1) for each row, [R], one after another from generators that rows share."""
    numbers = torch.empty(len(generators), dtype=torch.float64)
    for row, generator in enumerate(generators):
        if generator is not None:
            numbers[row] = torch.rand((), dtype=torch.float64, generator=generator)
    if others := [row for row, generator in enumerate(generators) if generator is None]:  # otherwise the generator of torch stays as it is
        numbers[others] = torch.rand(len(others), dtype=torch.float64)
    return numbers


def _adjusted(logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    """Return the logits with biases and penalties, and without the tokens that would end a text too early."""
    biased = [(row, sampler.bias) for row, sampler in enumerate(samplers) if sampler.bias is not None]
    early = [(row, list(sampler.ends)) for row, sampler in enumerate(samplers) if sampler.tokens < sampler.sampling.min_tokens]
    penalised = [row for row, sampler in enumerate(samplers) if sampler.sampling.penalises]
    if not (biased or early or penalised):
        return logits
    logits = logits.clone()
    for row, (tokens, numbers) in biased:
        logits[row].index_add_(0, tokens, numbers.to(logits.dtype))
    if penalised:
        logits[penalised] = _penalised(logits[penalised], [samplers[row] for row in penalised])
    for row, ends in early:
        logits[row, ends] = torch.finfo(logits.dtype).min  # finite, as all tokens may be among them
    return logits


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[Tensor, Tensor] | None:
    if not pairs:
        return None
    tokens, numbers = zip(*pairs, strict=True)
    return torch.tensor(tokens), torch.tensor(numbers, dtype=torch.float64)


def _penalised(logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    def column(name: str) -> Tensor:
        return logits.new_tensor([[getattr(sampler.sampling, name)] for sampler in samplers])

    seen, counts = (torch.stack([getattr(sampler, name) for sampler in samplers]) for name in ("seen", "counts"))
    repetition = column("repetition_penalty")
    logits = torch.where(seen, torch.where(logits > 0, logits / repetition, logits * repetition), logits)
    return logits - column("frequency_penalty") * counts - column("presence_penalty") * (counts > 0)


def _shares(logits: Tensor, samplings: Sequence[Sampling]) -> Tensor:
    """Return the probabilities with which the tokens are drawn, up to a factor for each row, float64 [R, V]."""

    def column(values: Iterable[float]) -> Tensor:
        return torch.tensor([[value] for value in values], dtype=torch.float64)

    # Differences to the largest logit in float64 do not overflow at any temperature.
    scaled = (logits.double() - logits.amax(1, keepdim=True).double()) / column(each.temperature for each in samplings)
    if some := [i for i, each in enumerate(samplings) if each.top_k is not None and each.top_k < logits.shape[1]]:
        counts = torch.tensor([[samplings[i].top_k or 0] for i in some])
        part = scaled[some]
        least = part.topk(int(counts.max())).values.gather(1, counts - 1)
        scaled[some] = part.masked_fill(part < least, -torch.inf)
    shares = torch.softmax(scaled, 1)
    if some := [i for i, each in enumerate(samplings) if each.top_p < 1]:
        ordered, tokens = shares[some].sort(dim=1, descending=True, stable=True)
        before = ordered.cumsum(1) - ordered
        kept = torch.where(before < column(samplings[i].top_p for i in some), ordered, 0)
        shares[some] = torch.zeros_like(kept).scatter(1, tokens, kept)
    if some := [i for i, each in enumerate(samplings) if each.min_p > 0]:
        part = shares[some]
        shares[some] = part.masked_fill(part < column(samplings[i].min_p for i in some) * part.amax(1, keepdim=True), 0)
    return shares


def _picked(shares: Tensor, uniform: Tensor) -> Tensor:
    """Return the tokens at which the sums of the shares [R, V] exceed the given parts [R] of the totals."""
    sums = shares.cumsum(1)
    total = sums[:, -1:]
    least = torch.minimum(uniform[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(sums, least, right=True).squeeze(1)
