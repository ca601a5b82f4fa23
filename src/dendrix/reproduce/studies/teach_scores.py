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
from ...data.base import Dataset
from ...data.speech.audio import resample
from ...data.speech.commands import RATE, command_clips, decode_command
from ...run_folder.checkpoint import load_checkpoint
from ...run_folder.record import read_record
from ...sdr import SDR, false_positive, stack
from ...teach import Backbone, Coder, CodeSettings, Span, SpeechDetector, Vocabulary, fit_backbone, speech_features, spoken_words
from ...teach.background import summed_overlaps
from ...teach.codes import Features
from ...train.sources import source_from_dict
from .dtw import dtw_distances
from .teach_alarms import PER_HOUR, detectors, stream_alarms, vetoes

RATES = (0.1, 0.01, 0.003)
CLIPS = 3
COUNTS = (10, 20, 30, 40)
"""Sizes of the growing vocabulary at which it is scored."""
DRAWS = 3
"""Choices of clips for each word and speaker."""
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

    def of(self, word: int, speaker: int) -> NDArray[np.int64]:
        """Return the clips of a word by a speaker."""
        return np.flatnonzero((self.word == word) & (self.speaker == speaker))


def score(run: Path, new: Sequence[str]) -> dict[str, Any]:
    """Teach the new words to the network of a run and measure.

    Args:
        run: folder of the run, trained without these words.
        new: the words.
    """
    both, backbone, everything = _coded(run, new)
    progress = read_record(run)["progress"] or {}
    return {
        "words": list(new),
        "epochs": progress["epoch"],
        "backbone accuracy": progress["best_accuracy"],
        "codes": {"n": backbone.n, "active": int(both.codes.counts[0]), "background clips": len(backbone.background)},
        "tenway": _tenway(both),
        "accepts": _accepts(both, backbone),
        "veto": vetoes(both.codes, both.word, both.speaker, both.new, backbone),
        "stream": _stream(run, both, backbone),
        "uniform theory": _uniform(both, backbone),
        "thinning": _thinning(backbone),
        "growth": _growth(everything),
        "cost": _cost(both, backbone),
    }


def _coded(run: Path, new: Sequence[str]) -> tuple[Unheard, Backbone, Unheard]:
    """Return the unheard clips, the backbone, and the unheard clips with all words counted as new."""
    checkpoint = load_checkpoint(run)
    assert checkpoint.encoder is not None
    encoder, settings = encoder_from_dict(checkpoint.encoder), CodeSettings()
    source: Any = source_from_dict(read_record(run)["recipe"]["data"])
    splits = commands(encoder, source.root)
    names = splits.train.labels
    known = [i for i, name in enumerate(names) if name not in new]
    train = splits.train.subset(torch.isin(splits.train.y, torch.tensor(known)))
    counted = _features(checkpoint.model, train, settings)
    assert train.speaker is not None
    word = np.searchsorted(known, train.y.numpy())
    backbone = fit_backbone(counted, word, train.speaker.numpy(), tuple(names[i] for i in known), settings, clips=6000)
    frames, words, speakers, features = list[NDArray[np.float32]](), [], [], []
    for part in (splits.valid, splits.test):
        assert part.speaker is not None
        features.append(_features(checkpoint.model, part, settings))
        words.append(part.y.numpy())
        speakers.append(part.speaker.numpy())
        frames += [_speech(part[i][0]) for i in range(len(part))]
    x = np.concatenate(features)
    index = np.array([names.index(word) for word in new])
    found = Unheard(backbone.whitening(x), backbone.codes(x), np.concatenate(words), np.concatenate(speakers), index, frames)
    return found, backbone, replace(found, new=np.arange(len(names)))


def _features(network: torch.nn.Module, data: Dataset, settings: CodeSettings) -> Features:
    return speech_features(network, [data[i][0] for i in range(len(data))], data.dt_ms, settings)


def _speech(x: torch.Tensor, frames: int = 40) -> NDArray[np.float32]:
    """Return the frames of the speech of a clip, stretched to a fixed number, for dynamic time warping."""
    onset, offset = SpeechDetector().span(x, 10.0) or Span(0, len(x))
    place = np.rint(np.linspace(onset, offset - 1, frames)).astype(int)
    chosen = x.numpy()[place]
    return np.asarray(chosen - chosen.mean(0), np.float32)


def _stream(run: Path, clips: Unheard, backbone: Backbone) -> dict[str, Any]:
    """False alarms per hour, and accepted words of the same speaker, where all unheard clips are one stream of sound."""
    checkpoint = load_checkpoint(run)
    assert checkpoint.encoder is not None
    encoder = encoder_from_dict(checkpoint.encoder)
    source: Any = source_from_dict(read_record(run)["recipe"]["data"])
    coded = command_clips(source.root)
    order = np.concatenate([np.flatnonzero(coded.split == part) for part in (1, 2)])  # as in the splits
    mixed = np.random.default_rng(0).permutation(len(order))
    waves = [resample(decode_command(coded.clips[order[i]]), RATE, encoder.rate) for i in mixed]
    spoken = list(spoken_words(Coder(checkpoint.model, encoder, backbone), waves))
    ends = np.cumsum([len(wave) for wave in waves]) / encoder.rate * 1000
    clip = mixed[np.searchsorted(ends, [one.onset_ms for one in spoken], side="right")]
    codes, hours = stack([one.code for one in spoken]), float(ends[-1]) / 3_600_000
    word, speaker, alarms, right, of = clips.word[clip], clips.speaker[clip], list[float](), list[float](), list[float]()
    for taught, who, chosen in detectors(clips.word, clips.speaker, clips.new.tolist()):
        vocabulary = Vocabulary(backbone)
        vocabulary.teach("word", clips.codes[chosen])
        decided = vocabulary.decide(codes)
        found = np.array([one.label is not None and vocabulary.expected_rate("word", one.p_value) for one in decided], float)
        fired = (found > 0) & (found * len(spoken) / hours <= PER_HOUR)
        others = (word != taught) & (speaker != who)
        fresh = (word == taught) & (speaker == who) & ~np.isin(clip, chosen)
        alarms.append(float(fired[others].sum()))
        of.append(hours * float(((clips.word != taught) & (clips.speaker != who)).mean()))
        right.append(float(fired[fresh].mean()))
    return {"words per hour": len(spoken) / hours, **stream_alarms(np.array(alarms), float(np.mean(of))), "same": float(np.mean(right))}


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
                scores = np.stack([summed_overlaps(clips.codes[part], codes) for part in chosen], 1)
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
            scores = np.stack([summed_overlaps(clips.codes[np.sort(part)], codes) for part in chosen], 1)
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


def _accepts(clips: Unheard, backbone: Backbone) -> dict[str, Any]:
    """True accepts and measured / asked false alarms; negatives are all clips of other words by other speakers."""
    rows: dict[float, list[tuple[float, ...]]] = {rate: [] for rate in RATES}
    refused = dict.fromkeys(RATES, "")
    for speaker in np.unique(clips.speaker):
        rng = np.random.default_rng(int(speaker))
        for word in clips.new:
            for _ in range(DRAWS):
                chosen = np.sort(rng.permutation(clips.of(word, speaker))[:CLIPS])
                several = rng.permutation(np.unique(clips.speaker[clips.speaker != speaker]))[:3]
                three = np.sort([rng.choice(clips.of(word, other)) for other in several])
                scores, of_three = (summed_overlaps(clips.codes[part], clips.codes) for part in (chosen, three))
                own, other = clips.speaker == speaker, clips.word != word
                heard = ~np.isin(clips.speaker, several)
                fresh = own & ~other & ~np.isin(np.arange(len(own)), chosen)
                for rate in RATES:
                    vocabulary = Vocabulary(backbone)
                    try:
                        theta = vocabulary.teach("new", clips.codes[chosen], rate).theta
                        theta3 = vocabulary.teach("three", clips.codes[three], rate).theta
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
    for rate in RATES:
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
