"""A language model as a classifier: how probably it would generate a text after the prompt of each class."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..core import State, Stateful, expect, expect_state, expect_valid, map_state, zero_invalid
from ..errors import InputError, InputTypeError


class PromptedState(NamedTuple):
    """State of a `PromptedClassifier`."""

    network: State
    """State of the language model after the prompt and all tokens but the last one, leaves [B, K, ...]."""
    last: Tensor
    """Last token, which is not yet read, int64 [B, K]."""


class PromptedClassifier(Stateful):
    """A language model that classifies a text token by token.

    The output of class k at step t is log p(token t | prompt of class k, tokens before t). With the accumulation "sum", the evidence is the
    log-likelihood of the text so far after each prompt, and its largest is the class after whose prompt the model would most probably
    generate the text: Bayes' rule with equal priors. So exit rules and their guarantees stop the reading at the token at which the class is
    certain.

    Args:
        network: language model, from tokens [B, T] and a state to logits [B, T, V] and the next state, such as a `SpikeGPT`.
        prompts: tokens of the prompt of each of K classes, int64 [P_k], at least one token each.
    Source: the noisy channel of Min et al., arXiv 2108.04106; exits within the text are ours.
    """

    def __init__(self, network: Stateful, prompts: Sequence[Tensor]):
        super().__init__()
        if len(prompts) < 2:
            raise InputError(f"prompts: expected at least two, one for each class, got {len(prompts)}.")
        for number, prompt in enumerate(prompts):
            expect(prompt, "P", f"prompt {number}")
        self.network, self.classes = network, len(prompts)
        for number, prompt in enumerate(prompts):
            self.register_buffer(f"prompt_{number}", prompt.long())

    def init_state(self, rows: int) -> PromptedState:
        """State of `rows` texts after the prompts."""
        prompts: list[Tensor] = [getattr(self, f"prompt_{number}") for number in range(self.classes)]
        longest = max(map(len, prompts))
        tokens = torch.stack([torch.nn.functional.pad(prompt, (longest - len(prompt), 0)) for prompt in prompts])
        place = torch.arange(longest, device=tokens.device)
        read = torch.stack([(place >= longest - len(prompt)) & (place < longest - 1) for prompt in prompts])
        state = self.network(tokens, None, read)[1]
        return PromptedState(map_state(lambda part: part.expand(rows, *part.shape), state), tokens[:, -1].expand(rows, -1))

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        """Compute the logarithm of the probability of every token after the prompt of each class.

        Args:
            x: tokens, int64 [B, T].
            state: state after the tokens before; None starts new texts.
            valid: bool [B, T] or None.
        Returns:
            outputs [B, T, K], zero at invalid steps, and the next state.
        Raises:
            InputError, InputTypeError: a token is not in the vocabulary, or no whole number.
        """
        expect(x, "B T", "tokens")
        if x.is_floating_point():
            raise InputTypeError(f"tokens: expected int64, got {x.dtype}. Encode the text with the model's tokenizer.")
        expect_valid(valid, x)
        x = zero_invalid(x, valid)  # padding may be any number
        rows, steps = x.shape
        if state is not None:
            expect_state(state.last, Tensor, torch.Size((rows, self.classes)))
        before = self.init_state(rows) if state is None else state
        shown = torch.ones_like(x, dtype=torch.bool) if valid is None else valid
        # Position of the last valid token up to each step, -1 for none: the model reads each token with a delay of one valid step.
        latest = torch.where(shown, torch.arange(steps, device=x.device), -1).cummax(1).values
        ahead = torch.cat([torch.full_like(latest[:, :1], -1), latest[:, :-1]], 1)

        def tokens_at(place: Tensor) -> Tensor:
            """Tokens at these positions for each class, [B, K, ...]."""
            found = x.long().gather(1, place.clamp_min(0)).unsqueeze(1)
            return torch.where(place.unsqueeze(1) >= 0, found, before.last.unsqueeze(-1))

        inputs = tokens_at(ahead).flatten(0, 1)
        inner = map_state(lambda part: part.flatten(0, 1).contiguous(), before.network)
        each = None if valid is None else valid.repeat_interleave(self.classes, 0)
        logits, after = self.network(inputs, inner, each)
        _expect_tokens(x, logits.shape[-1])  # the network has not read the last one
        wanted = x.long().repeat_interleave(self.classes, 0).unsqueeze(-1)
        found = logits.log_softmax(-1).gather(-1, wanted).view(rows, self.classes, steps).transpose(1, 2)
        kept = map_state(lambda part: part.unflatten(0, (rows, self.classes)), after)
        return zero_invalid(found, valid), PromptedState(kept, tokens_at(latest[:, -1:]).squeeze(-1))


def _expect_tokens(tokens: Tensor, vocabulary: int) -> None:
    if torch.compiler.is_compiling():
        return
    low, high = (int(bound) for bound in torch.aminmax(tokens))
    if low < 0 or high >= vocabulary:
        raise InputError(f"tokens: expected 0 to {vocabulary - 1}, got {low} to {high}. Use the tokenizer of this model.")
