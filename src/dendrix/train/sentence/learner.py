"""Learner for sentence classifiers, trained from scratch or from a language model."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from ...data import Batch
from ...data.base import ShuffledBatches, collate
from ...data.text.token_sentences import TokenSplits
from ...errors import InputError
from ...models import Decision, SpikeGPTConfig
from ...models.spikegpt.classifier import SpikeGPTClassifier
from ...models.spikegpt.network import SpikeGPT
from ...run_folder.state import Progress
from ..distributed.processes import Share, expect_enough
from ..health import refuse_divergence
from ..learner import Learner
from ..metrics import score
from ..products import fast_products
from ..text.learner import decay_groups, rate
from .recipe import SentenceRecipe


class SentenceLearner(Learner):
    """A `SpikeGPTClassifier` and its sentences. Padding is masked, so that the outputs for a sentence do not depend on its batch.

    Args:
        recipe: recipe to train.
        splits: its data.
        accelerator: accelerate's `Accelerator`.
    Raises:
        OSError, InputError: the pretrained run is missing, damaged or not a SpikeGPT, or there are fewer sentences than processes.
    """

    network: SpikeGPTClassifier
    model: Any

    def __init__(self, recipe: SentenceRecipe, splits: TokenSplits, accelerator: Any):
        index, count = accelerator.process_index, accelerator.num_processes
        expect_enough(recipe.budget.batch_size, splits, count)
        network = _network(recipe, splits)
        optim = recipe.optim
        groups = decay_groups(list(network.named_parameters()), optim.weight_decay)
        adam = torch.optim.AdamW(groups, optim.lr, (optim.beta1, optim.beta2), optim.eps, fused=True)
        super().__init__(network, adam, recipe.budget.precision, accelerator)
        self.recipe, self.splits = recipe, splits
        self.decision = Decision(recipe.model.pooling)
        self.order = ShuffledBatches([len(x) for x in splits.train.x], recipe.budget.batch_size, recipe.seed, recipe.budget.pool)
        share = Share(self.order, index, count)
        self.batches: Iterable[Batch] = DataLoader(splits.train, batch_sampler=share, collate_fn=collate)  # type: ignore[arg-type]
        held_out = splits.valid.subset(torch.arange(index, len(splits.valid), count))
        self.held_out = held_out.batches()
        self.weight = len(held_out) / len(splits.valid)

    @fast_products()
    def train(self, progress: Progress) -> dict[str, Any]:
        self.model.train()
        self.order.set_epoch(progress.epoch)
        steps = len(self.order) * self.recipe.budget.epochs
        sums, norms = torch.zeros(3, dtype=torch.double), 0.0
        for batch in self._moved(self.batches):
            for group in self.optimizer.param_groups:
                group["lr"] = rate(self.recipe.optim, progress.step, steps)
            measured, norm = self._step(batch, progress.step)
            progress.step += 1
            sums, norms = sums + measured, norms + norm
        return {"step": progress.step, **self.summary(sums, norms / len(self.order))}

    @fast_products()
    def validate(self, step: int) -> dict[str, Any]:
        with self.autocast():
            scores = score(self.network, self._moved(self.held_out), self.decision)
        accuracy, loss = self.total(torch.tensor([scores.accuracy, scores.loss], dtype=torch.double) * self.weight).tolist()
        refuse_divergence(step, {"validation loss": loss})
        return {"valid_accuracy": accuracy, "valid_loss": loss, "health": {}}

    def save(self, folder: Path) -> None:
        from ...models.spikegpt.hf_files import save_classifier  # imported late because transformers is optional

        save_classifier(folder, self.network, self.splits.train.labels, self.recipe.model.pooling, self.splits.tokenizer)

    def _step(self, batch: Batch, step: int) -> tuple[Tensor, float]:
        """Make one step; return [items, sum of losses, number correct] of the whole batch, and the gradient norm."""
        with self.autocast():
            evidence = self.decision.evidence(self.model, batch.x, batch.valid)[:, -1]
            loss = functional.cross_entropy(evidence, batch.y)
        count, right = len(batch.y), int((evidence.argmax(-1) == batch.y).sum())
        measured = self.total(torch.tensor([count, loss.item() * count, right], dtype=torch.double))
        items, losses = measured[:2].tolist()
        norm = self.descend(loss, step, whole=losses / items, share=count / items, clip=self.recipe.optim.clip)
        return measured, norm

    def _moved(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch.to(self.accelerator.device)


def _network(recipe: SentenceRecipe, splits: TokenSplits) -> SpikeGPTClassifier:
    """Return a new network, or one with the weights of a language model."""
    model, classes = recipe.model, len(splits.train.labels)
    if model.pretrained is None:
        size = splits.tokenizer.get_vocab_size()
        config = SpikeGPTConfig(size, model.width, model.layers, model.spikes, model.start, dropout=model.dropout, neurons=model.neurons)
        return SpikeGPTClassifier(config, classes)
    from ...models.spikegpt.hf_files import load_network  # imported late because transformers is optional

    language_model, _ = load_network(model.pretrained)
    if not isinstance(language_model, SpikeGPT):
        raise InputError(f"{model.pretrained}: expected the run of a SpikeGPT, got {type(language_model).__name__}. Choose another run.")
    network = SpikeGPTClassifier(replace(language_model.config, dropout=model.dropout), classes)
    weights = language_model.state_dict()
    weights.pop("head.weight")
    if language_model.config.binary_embedding:
        weights["emb.weight"] = weights["emb.weight"] * model.embedding_scale
    network.load_state_dict({**network.state_dict(), **weights})
    return network
