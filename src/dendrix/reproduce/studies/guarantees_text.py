"""Texts that are read only until their class is certain, by a classifier and by a language model, for the study of guarantees."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ...data.base import Batch
from ...data.text.sentences import Sentences
from ...data.text.tokenizers import encode
from ...exits import ExitRecord, Guarantee, decide, exit_losses, fit, record_outputs
from ...models import PromptedClassifier
from ...pretrained import find_run
from ...runs.evaluation import record_run
from ...runs.opened import open_run
from ...train.sentence.data import SentenceData
from ..study import Cell
from .guarantees_pools import DELTA

EPS = (0.02, 0.05)
_EXAMPLES = 8
"""Training sentences in the prompt of each class."""
_MOST, _AT_ONCE = 600, 50
"""Number of sentences of each split that the language model reads, and in one batch."""

Results = dict[str, Any]


def classifier(_: Cell, folder: Path) -> Results:
    """Sentences read by the classifier that the cell has trained."""
    return _results(*(record_run(open_run(folder, split)) for split in ("valid", "test")))


def generation(_: Cell, __: Path) -> Results:
    """Sentences read by the shipped language model, after a prompt of sentences of each class: which would it go on with?"""
    from ...models.spikegpt.hf_files import load_network  # imported late because transformers is optional

    network: Any
    network, tokenizer = load_network(find_run("novels"))
    train, valid, test = SentenceData("subj").read()
    prompts = [torch.from_numpy(encode(tokenizer, [_prompt(train, label)])).long() for label in range(len(train.labels))]
    model = PromptedClassifier(network, prompts).eval()
    return _results(*(record_outputs(model, list(batches(tokenizer, split)), "sum") for split in (valid, test)))


def _prompt(train: Sentences, label: int) -> bytes:
    chosen = (train.y == label).nonzero().flatten()[:_EXAMPLES].tolist()
    return "".join(f"{train.texts[i]}\n" for i in chosen).encode()


def batches(tokenizer: Any, sentences: Sentences) -> Iterator[Batch]:
    """Yield the first sentences as tokens, sorted by length, each with a line end.

    Args:
        tokenizer: tokenizer of the language model.
        sentences: labelled sentences.
    """
    tokens = [torch.from_numpy(encode(tokenizer, [f"{text}\n".encode()])).long() for text in sentences.texts[:_MOST]]
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    for start in range(0, len(order), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        lengths = torch.tensor([len(tokens[i]) for i in rows])
        x = torch.nn.utils.rnn.pad_sequence([tokens[i] for i in rows], batch_first=True)
        yield Batch(x, torch.arange(x.shape[1]) < lengths.unsqueeze(1), sentences.y[rows])


def _results(valid: ExitRecord, test: ExitRecord) -> Results:
    """Guarantees fitted to validation sentences, on test sentences."""
    found: Results = {"policies": {}, "sentences": len(test), "accuracy_of_full_run": float(test.right()[:, -1].double().mean())}
    for eps in EPS:
        policy = fit(valid, goal=Guarantee(eps, DELTA), fallback=True)
        decisions = decide(policy.rule, test)
        found["policies"][str(eps)] = {
            "risk": float(exit_losses(policy.rule, test, "accuracy-drop").double().mean()),
            "eps": eps,
            "accuracy": float((decisions.answers == test.truth).double().mean()),
            "steps": float(decisions.steps.double().mean()),
            "full_steps": float(test.ends.double().mean()),
        }
    return found
