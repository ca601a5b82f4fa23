"""Scores of one network for the study of taught words: 10-way accuracy, true accepts, false alarms, thinning, growth, cost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...data import commands, encoder_from_dict
from ...run_folder.checkpoint import load_checkpoint
from ...run_folder.record import read_record
from ...sdr import SDR, false_positive
from ...teach import (
    Backbone,
    CodeSettings,
    Span,
    SpeechDetector,
    Vocabulary,
    augmented,
    features_and_looks,
    fit_backbone,
    speech_features,
)
from ...teach.background import summed_overlaps
from ...teach.codes import Features
from ...train.sources import source_from_dict
from .dtw import dtw_distances
from .teach_alarms import streams, vetoes

RATES = (0.1, 0.01, 0.003)
CLIPS = 3
COUNTS = (10, 20, 30, 40)
"""Sizes of the growing vocabulary at which it is scored."""
DRAWS = 3
"""Choices of clips for each word and speaker."""
RICHER = CodeSettings(bins=4)
"""Codes that are twice as long."""
THINNED = ((20, 8), (40, 16), (80, 32))
"""Synapses and threshold of thinned segments."""
_THINNINGS = 8
"""Random choices of the synapses of each segment."""


@dataclass(frozen=True)
class Unheard:
    """Clips of speakers that the network was not trained on: whitened counts, codes, word, speaker, and frames of the speech."""

    z: Features
    codes: SDR
    word: NDArray[np.int64]
    speaker: NDArray[np.int64]
    new: NDArray[np.int64]
    """Indices of the words that are taught."""
    speech: list[NDArray[np.float32]]
    taught: SDR
    """Codes with which words are taught: those of clips of new words are means over `augmented` copies."""

    def of(self, word: int, speaker: int) -> NDArray[np.int64]:
        """Return the clips of a word by a speaker."""
        return np.flatnonzero((self.word == word) & (self.speaker == speaker))


def score(run: Path, new: Sequence[str]) -> dict[str, Any]:
    """Teach the new words to the network of a run and measure.

    Args:
        run: folder of the run, trained without these words.
        new: the words.
    """
    recorded = _recorded(run, new)
    both, backbone = _coded(recorded, new, CodeSettings())
    richer, of_richer = _coded(recorded, new, RICHER)
    everything = replace(both, new=np.arange(len(recorded.names)), taught=both.codes)
    progress = read_record(run)["progress"] or {}
    return {
        "words": list(new),
        "epochs": progress["epoch"],
        "backbone accuracy": progress["best_accuracy"],
        "codes": {"n": backbone.n, "active": int(both.codes.counts[0]), "background clips": len(backbone.background)},
        "tenway": _tenway(both),
        "not augmented": {"tenway": _tenway(replace(both, taught=both.codes))},
        "richer": {"tenway": _tenway(richer), "accepts": _accepts(richer, of_richer, (0.01,)), "cost": _cost(richer, of_richer)},
        "accepts": _accepts(both, backbone),
        "veto": vetoes(both.codes, both.taught, both.word, both.speaker, both.new, backbone),
        "stream": streams(run, both.taught, both.word, both.speaker, both.new, backbone),
        "uniform theory": _uniform(both, backbone),
        "thinning": _thinning(backbone),
        "growth": _growth(everything),
        "cost": _cost(both, backbone),
    }


@dataclass(frozen=True)
class Recorded:
    """Features of a network, with four bins: of clips of known words by its speakers, of their beginnings, and of unheard clips."""

    names: tuple[str, ...]
    known: Features
    word: NDArray[np.int64]
    """Index into the names of the known words."""
    speaker: NDArray[np.int64]
    looks: list[Features]
    unheard: Features
    taught: Features
    """The same, where clips of new words are means over `augmented` copies."""
    unheard_word: NDArray[np.int64]
    unheard_speaker: NDArray[np.int64]
    speech: list[NDArray[np.float32]]


def _recorded(run: Path, new: Sequence[str]) -> Recorded:
    """Run the network of a run over all clips."""
    checkpoint = load_checkpoint(run)
    assert checkpoint.encoder is not None
    encoder, settings = encoder_from_dict(checkpoint.encoder), RICHER
    source: Any = source_from_dict(read_record(run)["recipe"]["data"])
    splits = commands(encoder, source.root)
    names = splits.train.labels
    train = splits.train.subset(torch.isin(splits.train.y, torch.tensor([i for i, name in enumerate(names) if name not in new])))
    frames = [part[i][0] for part in (splits.valid, splits.test) for i in range(len(part))]
    word = np.concatenate([part.y.numpy() for part in (splits.valid, splits.test)])
    assert train.speaker is not None
    assert splits.valid.speaker is not None
    assert splits.test.speaker is not None
    unheard = speech_features(checkpoint.model, frames, encoder.dt_ms, settings)
    taught = unheard.copy()
    for i in np.flatnonzero(np.isin(word, [names.index(one) for one in new])):
        taught[i] = speech_features(checkpoint.model, augmented(frames[i]), encoder.dt_ms, settings).mean(0)
    known, looks = features_and_looks(checkpoint.model, [train[i][0] for i in range(len(train))], train.dt_ms, settings)
    return Recorded(
        tuple(names),
        known,
        train.y.numpy(),
        train.speaker.numpy(),
        looks,
        unheard,
        taught,
        word,
        np.concatenate([splits.valid.speaker.numpy(), splits.test.speaker.numpy()]),
        [_speech(x) for x in frames],
    )


def _coded(clips: Recorded, new: Sequence[str], settings: CodeSettings) -> tuple[Unheard, Backbone]:
    """Return the unheard clips and the backbone, with codes of some settings."""
    known, index = np.unique(clips.word, return_inverse=True)
    names = tuple(clips.names[i] for i in known)
    x, unheard, taught, *looks = (_binned(rows, settings.bins) for rows in (clips.known, clips.unheard, clips.taught, *clips.looks))
    backbone = fit_backbone(x, index, clips.speaker, names, settings, looks=looks, clips=6000)
    found = Unheard(
        backbone.whitening(unheard),
        backbone.codes(unheard),
        clips.unheard_word,
        clips.unheard_speaker,
        np.array([clips.names.index(word) for word in new]),
        clips.speech,
        backbone.codes(taught),
    )
    return found, backbone


def _binned(x: Features, bins: int) -> Features:
    """Return features [N, 4 * H] with fewer bins."""
    neurons = x.shape[1] // RICHER.bins
    return np.asarray(x.reshape(len(x), bins, RICHER.bins // bins, neurons).sum(2).reshape(len(x), bins * neurons))


def _speech(x: torch.Tensor, frames: int = 40) -> NDArray[np.float32]:
    """Return the frames of the speech of a clip, stretched to a fixed number, for dynamic time warping."""
    onset, offset = SpeechDetector().span(x, 10.0) or Span(0, len(x))
    place = np.rint(np.linspace(onset, offset - 1, frames)).astype(int)
    chosen = x.numpy()[place]
    return np.asarray(chosen - chosen.mean(0), np.float32)


def _choices(clips: Unheard, speaker: int, count: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    return [np.sort(rng.permutation(clips.of(word, speaker))[:count]) for word in clips.new]


def _tenway(clips: Unheard) -> dict[str, Any]:
    """Accuracy among the new words: by the segments for 1, 3 and 5 clips, by dense features, and by dynamic time warping."""
    probes = np.flatnonzero(np.isin(clips.word, clips.new))
    codes, unit = clips.codes[probes], _unit(clips.z)[probes]
    found: dict[str, dict[str, list[float]]] = {}
    for speaker in np.unique(clips.speaker):
        rng = np.random.default_rng(int(speaker))
        for draw in range(DRAWS):
            for count in (1, 3, 5):
                chosen = _choices(clips, speaker, count, rng)
                scores = np.stack([summed_overlaps(clips.taught[part], codes) for part in chosen], 1)
                _note(found, f"{count} clips", clips, probes, chosen, scores, speaker)
                if count == CLIPS:
                    mean = _unit(np.stack([clips.z[part].mean(0) for part in chosen]))
                    _note(found, "dense cosine", clips, probes, chosen, unit @ mean.T, speaker)
                if count == CLIPS and draw == 0:
                    own = probes[clips.speaker[probes] == speaker]
                    far = np.stack(
                        [np.min([dtw_distances(clips.speech[i], [clips.speech[j] for j in own]) for i in part], 0) for part in chosen], 1
                    )
                    _note(found, "time warping", clips, own, chosen, -far, speaker)
            several = rng.permutation(np.unique(clips.speaker[clips.speaker != speaker]))[:3]
            chosen = [np.array([rng.choice(clips.of(word, other)) for other in several]) for word in clips.new]
            scores = np.stack([summed_overlaps(clips.taught[np.sort(part)], codes) for part in chosen], 1)
            heard = ~np.isin(clips.speaker[probes], several)
            right = clips.new[scores.argmax(1)] == clips.word[probes]
            found.setdefault("3 speakers", {}).setdefault("another", []).append(float(right[heard].mean()))
    return {name: {who: float(np.mean(values)) for who, values in rows.items() if values} for name, rows in found.items()}


def _note(
    found: dict[str, dict[str, list[float]]],
    name: str,
    clips: Unheard,
    probes: NDArray[np.int64],
    chosen: Sequence[NDArray[np.int64]],
    scores: NDArray[Any],
    speaker: int,
) -> None:
    right = clips.new[scores.argmax(1)] == clips.word[probes]
    own = clips.speaker[probes] == speaker
    fresh = own & ~np.isin(probes, np.concatenate(chosen))
    rows = found.setdefault(name, {"same": [], "another": []})
    rows["same"].append(float(right[fresh].mean()))
    if not own.all():
        rows["another"].append(float(right[~own].mean()))


def _unit(x: Features) -> Features:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9), np.float32)


def _accepts(clips: Unheard, backbone: Backbone, rates: Sequence[float] = RATES) -> dict[str, Any]:
    """True accepts and measured / asked false alarms; negatives are all clips of other words by other speakers."""
    rows: dict[float, list[tuple[float, ...]]] = {rate: [] for rate in rates}
    refused = dict.fromkeys(rates, "")
    for speaker in np.unique(clips.speaker):
        rng = np.random.default_rng(int(speaker))
        for word in clips.new:
            for _ in range(DRAWS):
                chosen = np.sort(rng.permutation(clips.of(word, speaker))[:CLIPS])
                several = rng.permutation(np.unique(clips.speaker[clips.speaker != speaker]))[:3]
                three = np.sort([rng.choice(clips.of(word, other)) for other in several])
                scores, of_three = (summed_overlaps(clips.taught[part], clips.codes) for part in (chosen, three))
                own, other = clips.speaker == speaker, clips.word != word
                heard = ~np.isin(clips.speaker, several)
                fresh = own & ~other & ~np.isin(np.arange(len(own)), chosen)
                for rate in rates:
                    vocabulary = Vocabulary(backbone)
                    try:
                        theta = vocabulary.teach("new", clips.taught[chosen], rate).theta
                        theta3 = vocabulary.teach("three", clips.taught[three], rate).theta
                    except ValueError as refusal:
                        refused[rate] = str(refusal)
                        continue
                    rows[rate].append(
                        (
                            float((scores[fresh] >= theta).mean()),
                            float((scores[~own & ~other] >= theta).mean()),
                            float((of_three[heard & ~other] >= theta3).mean()),
                            float((scores[~own & other] >= theta).mean()) / rate,
                            float((of_three[heard & other] >= theta3).mean()) / rate,
                            float((scores[own & other] >= theta).mean()) / rate,
                        )
                    )
    found: dict[str, Any] = {}
    for rate in rates:
        if not rows[rate]:
            found[f"{rate:g}"] = {"refused": refused[rate]}
            continue
        same, another, three_accepts, ratio, ratio3, own_ratio = np.array(rows[rate]).T
        found[f"{rate:g}"] = {
            "detectors": len(ratio),
            "same": float(same.mean()),
            "another": float(another.mean()),
            "three": float(three_accepts.mean()),
            "ratio": float(ratio.mean()),
            "ratio, three speakers": float(ratio3.mean()),
            "above twice": float((ratio > 2).mean()),
            "ratio, own other words": float(own_ratio.mean()),
        }
    return found


def _uniform(clips: Unheard, backbone: Backbone) -> dict[str, float]:
    """Measured / asked false alarms of one code with the threshold that uniformly random codes would need."""
    active = int(clips.codes.counts[0])
    thetas = np.arange(active + 1)
    exact = np.asarray(false_positive(backbone.n, active, active, thetas))
    found = {}
    some = np.flatnonzero(np.isin(clips.word, clips.new))[::20]
    for rate in (0.1, 0.01, 0.001):
        theta = int(thetas[exact <= rate][0])
        fired = [(summed_overlaps(clips.codes[int(i)], clips.codes)[clips.word != clips.word[i]] >= theta).mean() for i in some]
        found[f"{rate:g}"] = float(np.mean(fired)) / rate
    return found


def _thinning(backbone: Backbone, segments: int = 200) -> dict[str, dict[str, float]]:
    """Rate at which segments with s synapses of a code answer to other words: by theory over the measured overlaps, and measured."""
    background, rng = backbone.background, np.random.default_rng(0)
    chosen = rng.permutation(len(background))[:segments]
    active = int(background.codes.counts[0])
    law, fired, pairs = np.zeros(active + 1), dict.fromkeys(THINNED, 0), 0
    for i in chosen:
        other = background.word != background.word[i]
        stored = background.codes[int(i)]
        law += np.bincount(summed_overlaps(stored, background.codes)[other], minlength=active + 1)
        pairs += _THINNINGS * int(other.sum())
        for synapses, theta in THINNED:
            for _ in range(_THINNINGS):
                thin = stored.subsample(synapses, rng)
                fired[synapses, theta] += int((summed_overlaps(thin, background.codes)[other] >= theta).sum())
    found = {}
    for synapses, theta in THINNED:
        exact = np.asarray(false_positive(active, np.arange(active + 1), synapses, theta))
        found[f"{synapses}, {theta}"] = {"theory": float(exact @ law / law.sum()), "measured": fired[synapses, theta] / pairs}
    return found


def _growth(clips: Unheard) -> dict[str, dict[str, float]]:
    """Accuracy over all words taught so far, each with three clips of one speaker, on that speaker's other clips."""
    found: dict[str, dict[str, list[float]]] = {}
    z = _unit(clips.z)
    for speaker in np.unique(clips.speaker):
        rng = np.random.default_rng(int(speaker))
        order = rng.permutation(clips.new)
        chosen = {word: np.sort(rng.permutation(clips.of(word, speaker))[:CLIPS]) for word in order}
        own = np.flatnonzero(clips.speaker == speaker)
        fresh = own[~np.isin(own, np.concatenate(list(chosen.values())))]
        scores = np.stack([summed_overlaps(clips.codes[chosen[word]], clips.codes[fresh]) for word in order], 1)
        mean = _unit(np.stack([z[chosen[word]].mean(0) for word in order]))
        tuned = np.zeros((len(order), z.shape[1]))
        for count, word in enumerate(order, 1):
            taught = np.concatenate([chosen[w] for w in order[:count]])
            tuned = _fine_tuned(tuned, z[chosen[word]], count - 1)
            if count not in COUNTS:
                continue
            probe = np.isin(clips.word[fresh], order[:count])
            target = clips.word[fresh][probe]
            x, labels = z[fresh[probe]], order[:count]
            answers = {
                "segments": scores[probe, :count].argmax(1),
                "cosine prototypes": (x @ mean[:count].T).argmax(1),
                "read-out trained again": (x @ _ridge(z[taught], np.repeat(np.arange(count), CLIPS), count)).argmax(1),
                "read-out fine-tuned": (x @ tuned[:count].T).argmax(1),
            }
            for name, answer in answers.items():
                found.setdefault(str(count), {}).setdefault(name, []).append(float((labels[answer] == target).mean()))
    return {count: {name: float(np.mean(values)) for name, values in rows.items()} for count, rows in found.items()}


def _ridge(x: Features, y: NDArray[np.int64], classes: int, strength: float = 0.1) -> NDArray[np.float64]:
    """Weights [D, classes] of ridge regression to one-hot targets, in the dual form."""
    gram = x @ x.T + strength * np.eye(len(x))
    return np.asarray(x.T @ np.linalg.solve(gram, np.eye(classes)[y]))


def _fine_tuned(weights: NDArray[np.float64], x: Features, label: int, steps: int = 30, rate: float = 1.0) -> NDArray[np.float64]:
    """Train a linear read-out [classes, D] by gradient descent on the clips of the newest word alone."""
    found = weights.copy()
    for _ in range(steps):
        logits = x @ found[: label + 1].T
        share = np.exp(logits - logits.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        share[:, label] -= 1
        found[: label + 1] -= rate * share.T @ x / len(x)
    return found


def _cost(clips: Unheard, backbone: Backbone) -> dict[str, float]:
    """Size of a word, and processor times of teaching it and of asking for one clip, each the median of several."""
    vocabulary = Vocabulary(backbone)
    teaching, asking = [], []
    for number, word in enumerate(clips.new):
        code = clips.codes[clips.of(word, clips.speaker[0])[:CLIPS]]
        start = time.process_time()
        vocabulary.teach(f"word {number}", code)
        teaching.append(time.process_time() - start)
    for i in range(20):
        start = time.process_time()
        vocabulary.scores(clips.codes[int(i)])
        asking.append(time.process_time() - start)
    size = float(vocabulary.report("word 0").n_bytes)
    return {"bytes": size, "teaching ms": 1000 * float(np.median(teaching)), "probe ms": 1000 * float(np.median(asking))}
