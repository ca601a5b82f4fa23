"""Learner for language models."""

import math
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.numbers import mixed_seed
from ...data.text.detokenization import continuation
from ...data.text.tokens import TextSplits, Tokens
from ...errors import InputError
from ...models.gpt2 import GPT2Config
from ...models.spikegpt.l2_wrap import l2_wrap
from ...models.spikegpt.network import SpikeGPTConfig
from ...run_folder.state import Progress
from ..distributed.sharding import sharded
from ..health import refuse_divergence
from ..learner import Learner
from ..products import fast_products
from ..schedule import cosine
from .health import GATE, SpikeWatch
from .losses import LossTerms
from .recipe import TextOptim, TextRecipe
from .samples import sampled_tokens

_PROMPT = 64
"""Largest number of tokens in the prompt of a sample."""


_SETTLED = 500
"""Steps after which neurons that never fire are worth a warning, or all steps: the first ones fire after some hundred steps only."""


class TextLearner(Learner):
    """A language model and its text, trained on the next token.

    The starts of windows are drawn from the seed and the step alone, so that a resumed run reads the same windows and several processes
    share every batch.

    Args:
        recipe: recipe to train.
        splits: its data.
        accelerator: accelerate's `Accelerator`.
    Raises:
        InputError: the data do not fit the network, or a text is shorter than a window.
    """

    chooses = "loss"

    def __init__(self, recipe: TextRecipe, splits: TextSplits, accelerator: Any):
        _check(recipe, splits, accelerator.num_processes)
        network = recipe.model.build()
        shared = sharded(network, accelerator.device) if recipe.budget.shard else None
        named, optim = list((shared or network).named_parameters()), recipe.optim
        groups = decay_groups(named, optim.weight_decay)
        adam = torch.optim.AdamW(groups, optim.lr, (optim.beta1, optim.beta2), optim.eps, fused=shared is None)
        super().__init__(network, adam, recipe.budget.precision, accelerator, shared)
        self.recipe, self.splits, self.language_model = recipe, splits, network
        self.watch = SpikeWatch(network)
        self.terms = LossTerms(recipe.loss, shared or network, splits.tokenizer, accelerator.device)

    @fast_products()
    def train(self, progress: Progress) -> dict[str, Any]:
        self.model.train()
        budget, began = self.recipe.budget, time.perf_counter()
        steps = min(budget.every, budget.steps - progress.step)
        losses, norms = 0.0, 0.0
        for _ in range(steps):
            for group in self.optimizer.param_groups:
                group["lr"] = rate(self.recipe.optim, progress.step, budget.steps)
            self.terms.sharpen(progress.step / max(budget.steps - 1, 1))
            loss, norm = self._step(progress.step)
            progress.step += 1
            losses, norms = losses + loss, norms + norm
            self.advance(budget.batch_size * budget.context)
        seen = steps * budget.batch_size * budget.context
        return {
            "step": progress.step,
            "loss": losses / steps,
            "gradient_norm": norms / steps,
            "rates": {group["name"]: group["lr"] for group in self.optimizer.param_groups},
            "tokens_per_second": seen / (time.perf_counter() - began),
        }

    @fast_products()
    def validate(self, step: int) -> dict[str, Any]:
        budget, tokens = self.recipe.budget, self.splits.valid
        self.gather()
        self.network.eval()
        device, (index, count) = self.accelerator.device, self._place()
        starts = torch.arange(0, min(len(tokens), budget.valid_tokens) - budget.context, budget.context)
        nats, right, seen = torch.zeros(3, dtype=torch.double)
        with torch.no_grad(), self.autocast():
            for chosen in torch.split(starts[index::count], budget.batch_size):
                window = tokens.windows(chosen, budget.context + 1).to(device)
                logits, _ = self.network(window[:, :-1])
                nats += functional.cross_entropy(logits.float().flatten(0, 1), window[:, 1:].flatten(), reduction="sum").cpu()
                right += (logits.argmax(-1) == window[:, 1:]).sum().cpu()
                seen += window[:, 1:].numel()
        nats, right, seen = self.total(torch.stack([nats, right, seen]))
        refuse_divergence(step, {"validation loss": nats.item()})
        per_byte = len(tokens) / tokens.n_bytes / math.log(2)
        loss = (nats / seen).item()
        scores = {"valid_accuracy": (right / seen).item(), "valid_loss": loss, "valid_bits_per_byte": loss * per_byte}
        return {**scores, "health": self.watch.health(self.total), **self._sample(step)}

    def save(self, folder: Path) -> None:
        from ...models.spikegpt.hf_files import save_language_model  # imported late because transformers is optional

        save_language_model(folder, self.language_model, self.splits.tokenizer)

    def span(self, budget: Any, progress: Progress) -> tuple[int, int, str]:
        tokens = budget.batch_size * budget.context
        return budget.steps * tokens, progress.step * tokens, "token"

    def shown(self, line: dict[str, Any], progress: Progress) -> dict[str, str]:
        return {"loss": f"{line['loss']:.3f}", "valid": f"{line['valid_bits_per_byte']:.3f} bit/B"}

    def settled(self, progress: Progress) -> bool:
        return progress.step >= min(_SETTLED, self.recipe.budget.steps)

    def remedy(self, layer: str, kind: str) -> str:
        return f"Lower --optim.lr, or {'train without --model.window' if layer.endswith(GATE) else 'hold the rate by --loss.rate'}."

    def notes(self, line: dict[str, Any]) -> list[str]:
        return [f"After {line['step']:,} steps it writes:\n{textwrap.indent(_visible(line['sample']), '    ')}"] if "sample" in line else []

    def _sample(self, step: int) -> dict[str, str]:
        """Return the continuation of the beginning of the validation text."""
        if not (count := self.recipe.budget.sample_tokens):
            return {}
        length = min(_PROMPT, self.recipe.budget.context)
        prompt = self.splits.valid.windows(torch.zeros(1, dtype=torch.int64), length)[0].to(self.accelerator.device)
        added = sampled_tokens(self.network, prompt, count, mixed_seed(self.recipe.seed, step))
        return {"sample": continuation(self.splits.tokenizer, prompt.tolist(), added.tolist())}

    def _place(self) -> tuple[int, int]:
        return self.accelerator.process_index, self.accelerator.num_processes

    def _step(self, step: int) -> tuple[float, float]:
        """Make one step of the optimiser; return the loss of the whole batch and the norm of the gradient."""
        budget, (index, count) = self.recipe.budget, self._place()
        windows = self.splits.train.windows(self._starts(step)[index::count], budget.context + 1).to(self.accelerator.device)
        self.optimizer.zero_grad()
        total = torch.zeros((), dtype=torch.double)
        for part in windows.chunk(budget.accumulate):
            with self.autocast():
                logits, _ = self.model(part[:, :-1])
                loss, own = self.terms(part, logits)
            wrapped = l2_wrap(loss, logits) if self.recipe.l2_wrap else loss
            share = len(part) / budget.batch_size
            self.backward(wrapped, share)
            total += own.item() * share
        measured = self.total(total.reshape(1)).item()
        norm = self.move(step, measured, self.recipe.optim.clip)
        return measured, norm

    def _starts(self, step: int) -> Tensor:
        """Return the starts of all windows of a step, the same in every process."""
        generator = torch.Generator().manual_seed(mixed_seed(self.recipe.seed, step))
        budget = self.recipe.budget
        return torch.randint(len(self.splits.train) - budget.context, (budget.batch_size,), generator=generator)


def _visible(text: str) -> str:
    """Return a text for a terminal: a character that cannot be printed, such as an escape, becomes a dot."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "·" for sign in text.strip())


def rate(optim: TextOptim, step: int, steps: int) -> float:
    """Return the learning rate of a step; a pure function, so that a resumed run continues exactly."""
    if step < optim.warm_up:
        return optim.lr * (step + 1) / optim.warm_up
    return optim.final_lr + (optim.lr - optim.final_lr) * cosine((step - optim.warm_up) / max(steps - optim.warm_up, 1))


def decay_groups(named: Sequence[tuple[str, nn.Parameter]], weight_decay: float) -> list[dict[str, Any]]:
    """Return two parameter groups for an optimiser: matrices, with weight decay, and all others, without."""
    matrices = {name for name, parameter in named if _decays(name, parameter)}
    return [
        {"name": "matrices", "params": [p for name, p in named if name in matrices], "weight_decay": weight_decay},
        {"name": "rest", "params": [p for name, p in named if name not in matrices], "weight_decay": 0.0},
    ]


def _decays(name: str, parameter: Tensor) -> bool:
    """Return whether a parameter has weight decay. SpikeGPT uses only the signs of its embedding, which decay does not change."""
    return parameter.dim() == 2 and not name.startswith("emb.")


def _check(recipe: TextRecipe, splits: TextSplits, processes: int) -> None:
    """Refuse a network that does not fit its data, before the training begins."""
    if recipe.model.vocab_size != (size := splits.tokenizer.get_vocab_size()):
        raise InputError(
            f"model.vocab_size: expected {size}, the size of the tokenizer, got {recipe.model.vocab_size}. Set --model.vocab-size {size}."
        )
    if isinstance(recipe.model, GPT2Config) and recipe.model.context < recipe.budget.context:
        raise InputError(
            f"model.context: expected at least {recipe.budget.context}, as in the budget, got {recipe.model.context}. Set them equal."
        )
    if isinstance(recipe.model, SpikeGPTConfig) and recipe.model.window > recipe.budget.context:
        raise InputError(
            f"model.window: expected at most {recipe.budget.context} tokens, as in the budget, got {recipe.model.window}. Lower it."
        )
    if recipe.budget.batch_size % (processes * recipe.budget.accumulate):
        raise InputError(
            f"budget.batch_size: expected a multiple of {processes} processes times {recipe.budget.accumulate} parts, "
            f"got {recipe.budget.batch_size}. Choose another."
        )
    for name, tokens in (("training", splits.train), ("validation", splits.valid)):
        _expect_window(name, tokens, recipe.budget.context)


def _expect_window(name: str, tokens: Tokens, context: int) -> None:
    if len(tokens) <= context:
        raise InputError(f"text: expected more than {context} tokens for {name}, one window, got {len(tokens)}. Lower --budget.context.")
