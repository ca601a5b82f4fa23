"""False alarms of taught words for the study: with a veto by known words, and in streams."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...data import encoder_from_dict
from ...data.speech.audio import resample
from ...data.speech.commands import RATE as RECORDED
from ...data.speech.commands import command_clips, decode_command
from ...run_folder.checkpoint import load_checkpoint
from ...run_folder.record import read_record
from ...sdr import SDR, stack
from ...teach import Backbone, Coder, Vocabulary, spoken_words
from ...train.sources import source_from_dict

RATE = 0.01
PER_HOUR = 10.0
CLIPS = 3


def detectors(word: NDArray[np.int64], speaker: NDArray[np.int64], new: Sequence[int]) -> list[tuple[int, int, NDArray[np.int64]]]:
    """Return word, speaker and three clips of a detector for each new word and speaker."""
    found = []
    for who in np.unique(speaker):
        rng = np.random.default_rng(int(who))
        for taught in new:
            clips = rng.permutation(np.flatnonzero((word == taught) & (speaker == who)))[:CLIPS]
            found.append((int(taught), int(who), np.sort(clips)))
    return found


def vetoes(
    codes: SDR,
    learnt: SDR,
    word: NDArray[np.int64],
    speaker: NDArray[np.int64],
    new: NDArray[np.int64],
    backbone: Backbone,
    rate: float = RATE,
) -> dict[str, dict[str, float]]:
    """Measure detectors with and without a veto: true accepts, and false alarms on other new words and on known words.

    Args:
        codes, word, speaker: clips that the network was not trained on.
        learnt: codes of the same clips with which words are taught.
        new: words that are taught; all others are known.
        backbone: backbone of the network.
        rate: asked rate of false alarms.
    """
    rows: dict[str, list[tuple[float, ...]]] = {"without": [], "with": []}
    for taught, who, clips in detectors(word, speaker, new.tolist()):
        own, fresh = speaker == who, np.ones(len(word), bool)
        fresh[clips] = False
        for name, rejected in rows.items():
            vocabulary = Vocabulary(backbone)
            vocabulary.teach("word", learnt[clips], rate, veto=name == "with")
            fired = np.array([one.label is not None for one in vocabulary.decide(codes)])
            others = ~own & (word != taught)
            rejected.append(
                (
                    fired[own & fresh & (word == taught)].mean(),
                    fired[~own & (word == taught)].mean(),
                    fired[others & np.isin(word, new)].mean() / rate,
                    fired[others & ~np.isin(word, new)].mean() / rate,
                )
            )
    names = ("same", "another", "ratio, new words", "ratio, known words")
    return {name: dict(zip(names, map(float, np.mean(part, 0)), strict=True)) for name, part in rows.items()}


def streams(
    run: Path, learnt: SDR, word: NDArray[np.int64], speaker: NDArray[np.int64], new: NDArray[np.int64], backbone: Backbone
) -> dict[str, Any]:
    """Measure detectors on all unheard clips in one stream of sound: false alarms per hour, accepted words of the same speaker, and how
    much earlier words are decided where their beginning may suffice.

    Args:
        run: folder of the network.
        learnt, word, speaker: its unheard clips, validation before test, with the codes that words are taught with.
        new: words that are taught.
        backbone: backbone of the network.
    """
    checkpoint = load_checkpoint(run)
    assert checkpoint.encoder is not None
    encoder = encoder_from_dict(checkpoint.encoder)
    source: Any = source_from_dict(read_record(run)["recipe"]["data"])
    recordings = command_clips(source.root)
    order = np.concatenate([np.flatnonzero(recordings.split == part) for part in (1, 2)])  # as in the splits
    mixed = np.random.default_rng(0).permutation(len(order))
    waves = [resample(decode_command(recordings.clips[order[i]]), RECORDED, encoder.rate) for i in mixed]
    heard = list(spoken_words(Coder(checkpoint.model, encoder, backbone), waves, early=True))
    ends = np.cumsum([len(wave) for wave in waves]) / encoder.rate * 1000
    codes, hours = stack([one.code for one in heard]), float(ends[-1]) / 3_600_000
    ended = np.flatnonzero([one.ended for one in heard])
    clip = mixed[np.searchsorted(ends, [heard[i].onset_ms for i in ended], side="right")]
    of = hours * float(np.mean([((word != taught) & (speaker != who)).mean() for taught, who, _ in detectors(word, speaker, new.tolist())]))
    words_per_hour = len(ended) / hours
    rare, right = list[float](), list[float]()
    rows: dict[str, list[tuple[float, float]]] = {"at the end": [], "early": []}
    earlier = list[float]()
    number, time = np.array([one.number for one in heard]), np.array([one.heard_ms for one in heard])
    for taught, who, chosen in detectors(word, speaker, new.tolist()):
        vocabulary = Vocabulary(backbone)
        vocabulary.teach("word", learnt[chosen])
        others = (word[clip] != taught) & (speaker[clip] != who)
        fresh = (word[clip] == taught) & (speaker[clip] == who) & ~np.isin(clip, chosen)
        scores = vocabulary.scores(codes)[:, 0]
        fired = scores[ended] >= vocabulary["word"].theta
        rows["at the end"].append((fired[others].mean() / RATE, fired[fresh].mean()))
        expected = [vocabulary.expected_rate("word", vocabulary.p_value("word", int(score))) for score in scores[ended]]
        few = fired & (np.array(expected) * words_per_hour <= PER_HOUR)
        rare.append(float(few[others].sum()))
        right.append(float(few[fresh].mean()))
        theta = vocabulary.early_threshold("word")
        if theta is None:
            continue
        first = {int(number[i]): i for i in np.flatnonzero(scores >= theta)[::-1]}
        hit = np.isin(number[ended], list(first))
        rows["early"].append((hit[others].mean() / RATE, hit[fresh].mean()))
        earlier += [time[i] - time[first[int(number[i])]] for i in ended[fresh & hit]]
    found: dict[str, Any] = {"words per hour": words_per_hour}
    fewest = vocabulary.expected_rate("word", 1 / (1 + len(backbone.background))) * words_per_hour
    if fewest <= PER_HOUR:
        found |= {**stream_alarms(np.array(rare), of), "same": float(np.mean(right))}
    else:
        found["refused"] = f"The background supports no fewer than {fewest:.0f} false alarms per hour at so many words."
    for name, part in rows.items():
        if part:
            found[name] = dict(zip(("ratio", "same"), map(float, np.mean(part, 0)), strict=True))
    if earlier:
        found["early"]["ms earlier"] = float(np.mean(earlier))
    return found


def stream_alarms(fired: NDArray[np.float64], hours: float, asked: float = PER_HOUR) -> dict[str, Any]:
    """Return false alarms per hour of several detectors on one stream, as a multiple of the asked number, with an interval of 95 %.

    Args:
        fired: number of false alarms of each detector.
        hours: length of the stream, in hours.
        asked: asked number per hour.

    The detectors are resampled, because the alarms of one detector come from few words and are not independent.
    """
    found = stats.bootstrap((fired,), np.mean, n_resamples=2000, rng=np.random.default_rng(0), method="percentile").confidence_interval
    low, high = (float(edge) / hours / asked for edge in found)
    return {"detector hours": hours * len(fired), "ratio": float(fired.mean()) / hours / asked, "low": low, "high": high}
