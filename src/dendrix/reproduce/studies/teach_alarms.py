"""False alarms of taught words for the study: with a veto by known words, and in streams."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...sdr import SDR
from ...teach import Backbone, Vocabulary

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
    codes: SDR, word: NDArray[np.int64], speaker: NDArray[np.int64], new: NDArray[np.int64], backbone: Backbone, rate: float = RATE
) -> dict[str, dict[str, float]]:
    """Measure detectors with and without a veto: true accepts, and false alarms on other new words and on known words.

    Args:
        codes, word, speaker: clips that the network was not trained on.
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
            vocabulary.teach("word", codes[clips], rate, veto=name == "with")
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
