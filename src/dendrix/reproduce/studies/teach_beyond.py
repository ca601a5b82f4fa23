"""Teaching beyond speech: letters under a finger, kinds of images, novels; a study of this project.

The same codes, thresholds and vocabularies, with hidden spikes of networks of other kinds. A new pattern is taught with three examples,
and measured are the accuracy among the new ones, the true accepts at the smallest rate of false alarms that the background supports, and
the false alarms on the other new ones. Beside it stands a nearest mean of the same examples without a network.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data import Dataset, Splits, cifar10, mnist
from ...data.pack import data_root, read_pack
from ...data.text.corpora import corpus
from ...energy.spike_outputs import spikes as spikes_of
from ...models import DelayNetConfig
from ...models.spikegpt.hf_files import load_network
from ...pretrained import find_run
from ...run_folder.checkpoint import load_checkpoint
from ...teach import CodeSettings, Span, Vocabulary, bin_counts, fit_backbone, hidden_spikes
from ...teach.codes import Features
from ...train import fit
from ..claim import Checked
from ..study import Cell, Results, Study

EXAMPLES = 3
DRAWS = 20
_BATCH = 50


def measured(
    known: Features, of_known: NDArray[np.int64], new: Features, of_new: NDArray[np.int64], raw: Features, settings: CodeSettings
) -> dict[str, float]:
    """Teach each new pattern with three examples, in several draws, and measure.

    Args:
        known, of_known: features [N, D] and pattern of examples that the background consists of.
        new, of_new: those of new patterns.
        raw: inputs of the new examples without a network, [M, R].
        settings: how features become codes.
    """
    names = tuple(f"{pattern}" for pattern in range(of_known.max() + 1))
    backbone = fit_backbone(known, of_known, np.arange(len(known)), names, settings, clips=2000)
    codes, patterns = backbone.codes(new), np.unique(of_new)
    rate = min(max(1.01 * backbone.calibration.smallest(len(backbone.background), backbone.background.words), 0.01), 0.5)
    rng, rows = np.random.default_rng(0), []
    unit = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)
    for _ in range(DRAWS):
        vocabulary, means, used = Vocabulary(backbone), [], np.zeros(len(new), bool)
        for pattern in patterns:
            chosen = np.sort(rng.permutation(np.flatnonzero(of_new == pattern))[:EXAMPLES])
            vocabulary.teach(str(pattern), codes[chosen], rate)
            means.append(unit[chosen].mean(0))
            used[chosen] = True
        words = list(vocabulary.words.values())
        scores = vocabulary.scores(codes)
        right = of_new[:, None] == patterns
        fired = scores >= np.array([word.theta for word in words])
        standard = (scores - np.array([word.mean for word in words])) / np.array([word.deviation for word in words])
        best, plain = patterns[standard.argmax(1)], patterns[(unit @ np.stack(means).T).argmax(1)]
        rows.append(
            (
                (best == of_new)[~used].mean(),
                (plain == of_new)[~used].mean(),
                fired[right & ~used[:, None]].mean(),
                fired[~right].mean() / rate,
            )
        )
    mean = np.mean(rows, 0)
    return {
        "known": float(len(names)),
        "new": float(len(patterns)),
        "accuracy": float(mean[0]),
        "accuracy, nearest mean of the inputs": float(mean[1]),
        "chance": 1 / len(patterns),
        "rate": rate,
        "true accepts": float(mean[2]),
        "measured / asked": float(mean[3]),
    }


def _braille(_cell: Cell, folder: Path) -> Mapping[str, Any]:
    """Letters read by twelve sensors of a fingertip: a network trained on 22 of 27, five taught."""
    root = data_root(None, "Braille letters", "Get braille_tactile.npz")
    path = next(place for place in (root / "braille_tactile.npz", root / "events" / "braille_tactile.npz") if place.exists())
    pack = read_pack(path, "Braille letters", ("taxels", "offsets", "labels"), ())
    trials = [torch.from_numpy(1 - part / 255.0).float() for part in np.split(pack["taxels"], pack["offsets"][1:-1])]
    letter = pack["labels"].astype(np.int64)
    take = np.array([int((letter[:i] == letter[i]).sum()) for i in range(len(letter))])
    new = np.sort(np.random.default_rng(0).permutation(27)[:5])
    names = tuple(str(i) for i in range(27) if i not in new)
    place = np.cumsum(~np.isin(np.arange(27), new)) - 1

    def part(chosen: NDArray[np.bool_]) -> Dataset:
        index = np.flatnonzero(chosen & ~np.isin(letter, new)).tolist()
        return Dataset([trials[i] for i in index], torch.from_numpy(place[letter[index]]), names, 20.0)

    torch.manual_seed(0)
    config = DelayNetConfig(12, len(names), (128, 128), max_delay_ms=300.0, dt_ms=20.0, granularity="axonal", tau_ms=60.0, dropout=0.2)
    network = config.build()
    data = Splits(part(take < 28), part((take >= 28) & (take < 32)), part(take >= 32))
    fit(network, data, folder=folder / "run", epochs=40, batch_size=64, quiet=True)
    network.eval()
    x = torch.nn.utils.rnn.pad_sequence(trials, batch_first=True)
    spikes, _ = hidden_spikes(network, x)
    counts = np.array([bin_counts(row, Span(0, len(row)), 4) for row in spikes])
    unseen, raw = np.isin(letter, new), x.flatten(1).numpy()
    known = ~unseen & (take < 32)
    settings = CodeSettings(bins=4)
    return measured(counts[known], place[letter[known]], counts[unseen], letter[unseen], raw[unseen] - raw[known].mean(0), settings)


@torch.no_grad()
def _image_counts(network: Any, images: Tensor) -> Features:
    """Spikes of each channel of each layer, summed over places and steps, [N, D]."""
    heard: list[Tensor] = []

    def keep(module: nn.Module, _given: Any, y: Any) -> None:
        if (found := spikes_of(module, {}, y)) is not None:
            heard.append((found != 0).float().sum((1, 3, 4)))

    hooks = [part.register_forward_hook(keep) for part in network.modules()]
    rows = []
    for batch in torch.split(images, _BATCH):
        network(network.encode(batch))
        rows.append(torch.cat(heard, 1))
        heard.clear()
    for hook in hooks:
        hook.remove()
    return np.asarray(torch.cat(rows).numpy(), np.float32)


def _images(_cell: Cell, _folder: Path) -> Mapping[str, Any]:
    """Handwritten digits, taught to the shipped converted network of ten kinds of natural images."""
    network = load_checkpoint(find_run("cifar10")).model
    train = cifar10().train
    kinds = train.y.numpy()
    chosen = np.concatenate([np.flatnonzero(kinds == kind)[:100] for kind in range(10)])
    known = _image_counts(network, train.x[torch.from_numpy(chosen)].float() / 255)
    digits = mnist()[1]
    labels = np.asarray(digits.y)
    few = np.concatenate([np.flatnonzero(labels == digit)[:40] for digit in range(10)])
    x = torch.nn.functional.pad(torch.as_tensor(digits.x)[few].reshape(-1, 1, 28, 28).float(), (2, 2, 2, 2))
    x = (x / x.max()).expand(-1, 3, -1, -1).contiguous()
    new = _image_counts(network, x)
    return measured(known, kinds[chosen], new, labels[few].astype(np.int64), x[:, 0].flatten(1).numpy(), CodeSettings())


def _novels(_cell: Cell, _folder: Path, passages: int = 30, tokens: int = 512) -> Mapping[str, Any]:
    """Passages of eight novels that the shipped language model was not trained on, each novel taught with three passages."""
    network, _ = load_network("novels")
    texts = corpus("novels")

    def read(text: bytes) -> list[NDArray[np.int64]]:
        starts = np.linspace(0, len(text) - tokens, passages).astype(int)
        return [np.frombuffer(text[start : start + tokens], np.uint8).astype(np.int64) for start in starts]

    def counted(books: list[list[NDArray[np.int64]]]) -> Features:
        rows = []
        for book in books:
            spikes, _ = hidden_spikes(network, torch.from_numpy(np.stack(book)))
            rows.append(spikes.sum(1).numpy())
        return np.asarray(np.concatenate(rows), np.float32)

    books = [read(text) for text in texts.train[::2]]
    unread = [read(text) for text in (*texts.valid, *texts.test)]
    letters = np.array([np.bincount(passage, minlength=256) for book in unread for passage in book], np.float32)
    of_known, of_new = (np.repeat(np.arange(len(found)), passages) for found in (books, unread))
    usual = np.array([np.bincount(passage, minlength=256) for book in books for passage in book]).mean(0)
    return measured(counted(books), of_known, counted(unread), of_new, letters - usual, CodeSettings(bins=1))


KINDS = {"braille": _braille, "images": _images, "novels": _novels}
SHOWN = ("known", "new", "accuracy", "accuracy, nearest mean of the inputs", "chance", "rate", "true accepts", "measured / asked")
CAPTIONS = {
    "braille": "letters under a finger",
    "images": "digits, on a network of natural images",
    "novels": "novels, on a language model",
}


def _cells(_out: Path) -> list[Cell]:
    return [Cell(name, (name,), score) for name, score in KINDS.items()]


def _results(outcomes: Mapping[Any, Any]) -> Results:
    return {name: outcome for (name,), outcome in outcomes.items()}


def _check(results: Results) -> list[Checked]:
    found = []
    for name, outcome in results.items():
        ratio, chance = outcome["measured / asked"], outcome["chance"]
        rows = (
            ("accuracy of new patterns", f"over {2 * chance:.2g}", outcome["accuracy"], outcome["accuracy"] > 2 * chance),
            ("measured / asked false alarms", "at most 1.2", ratio, ratio <= 1.2),
        )
        source = "dendrix reproduce teach-beyond"
        found += [Checked(CAPTIONS[name], says, goal, source, n, "holds" if ok else "fails", "", ok) for says, goal, n, ok in rows]
    return found


def _page(results: Results) -> str:
    lines = ["# Teaching beyond speech", "", __doc__.partition("\n\n")[2].strip(), ""]
    lines += ["| | " + " | ".join(CAPTIONS[name] for name in results) + " |", "|---|" + "---|" * len(results)]
    lines += [f"| {row} | " + " | ".join(f"{outcome[row]:.3g}" for outcome in results.values()) + " |" for row in SHOWN]
    return "\n".join(lines) + "\n"


STUDY = Study("teach-beyond.json", "teach-beyond.md", _cells, _results, _page, _check)
reproduce = STUDY.reproduce
