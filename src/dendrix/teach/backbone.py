"""Backbone of taught words: whitening, background and calibration, computed once from recordings of known words."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core import expect_fields
from ..errors import InputError
from ..sdr import SDR, stack
from . import files
from .background import Background, Whole, summed_overlaps
from .codes import Features, Whitening, fit_whitening, on_off_winners
from .thresholds import Calibration, Mask, calibrate
from .veto import KnownWords

KIND, VERSION = "backbone", 2
_FEW_WORDS = (5, 10, 20)
"""Numbers of background words in the table of kappa, besides the largest possible one."""

_USUAL = (0.005, 0.995)
"""Range of the activity of known words, as quantiles."""


@dataclass(frozen=True)
class CodeSettings:
    """How hidden spikes become a code.

    Raises:
        InputError: a field is out of range.
    """

    layers: int = 2
    """Largest number of hidden layers, counted from the last one."""
    bins: int = 2
    """Number of bins between the onset of the speech and `tail_ms` after its offset."""
    tail_ms: float = 300.0
    """Time after the speech that belongs to it, because delayed spikes follow the sound, in ms."""
    density: float = 0.15
    """Share of active cells of a code."""
    shrinkage: float = 0.3
    """Weight of the identity in the covariance."""
    rank: int = 128
    """Number of directions of the whitening."""

    def __post_init__(self) -> None:
        counts = {"layers": "[1, inf)", "bins": "[1, inf)", "rank": "[0, inf)"}
        expect_fields(self, whole=counts, **counts)
        expect_fields(self, tail_ms="[0, inf)", density="(0, 1]", shrinkage="(0, 1]")


@dataclass(frozen=True)
class Backbone:
    """Everything that teaching needs besides the network.

    Args:
        settings: how spikes become a code.
        whitening: map from counts to z.
        background: codes of known words.
        calibration: table of kappa.
        network: fingerprint of the network, from `exits.network.fingerprint`; empty for features of another source.
        activity: usual range of the number of spikes of a clip, the sum of its features.
        veto: table of kappa for words with a veto by known words; None without veto.
        early: table of kappa for words that may be decided before they have ended; None if they may not.
    """

    settings: CodeSettings
    whitening: Whitening
    background: Background
    calibration: Calibration
    network: str = ""
    activity: tuple[float, float] = (0.0, math.inf)
    veto: Calibration | None = None
    early: Calibration | None = None

    def is_foreign(self, features: ArrayLike) -> bool:
        """Return whether clips [N, D] are unlike the known words as a whole, as those of another microphone or kind of sound are.

        Compared is the mean number of spikes. Codes of another domain have cells in common, so that more false alarms are likely.
        """
        low, high = self.activity
        return not low <= float(np.asarray(features).sum(-1).mean()) <= high

    @cached_property
    def known(self) -> KnownWords:
        """Likeness of clips to the known words, for the veto; computed at its first use."""
        return KnownWords(self.background)

    @property
    def n(self) -> int:
        """Number of bits of a code."""
        return self.background.codes.n

    def codes(self, features: ArrayLike) -> SDR:
        """Return the codes of features [N, D]."""
        return on_off_winners(self.whitening(features), self.settings.density)

    def save(self, path: str | Path) -> None:
        """Write the backbone to a file, atomically.

        Raises:
            OSError: it cannot be written.
        """
        directions, scale = _bytes(self.whitening.directions)
        arrays: files.Arrays = {
            "mean": self.whitening.mean,
            "directions": directions,
            "scale": scale,
            "reduction": self.whitening.reduction,
            "codes": files.packed(self.background.codes),
            "word": self.background.word.astype(np.int16),
            "speaker": self.background.speaker.astype(np.int32),
        }
        facts = {
            "n": self.n,
            "settings": asdict(self.settings),
            "names": list(self.background.names),
            "calibration": asdict(self.calibration),
            "network": self.network,
            "activity": list(self.activity),
            "veto": None if self.veto is None else asdict(self.veto),
            "early": None if self.early is None else asdict(self.early),
        }
        files.write(Path(path), KIND, VERSION, arrays, facts)

    @classmethod
    def load(cls, path: str | Path) -> "Backbone":
        """Read a backbone that `save` wrote.

        Raises:
            OSError: the file does not exist or cannot be opened.
            InputError: it is damaged, or was not written by `save`.
        """
        arrays, facts = files.read(Path(path), KIND, VERSION)
        try:
            directions = arrays["directions"].astype(np.float32) * arrays["scale"]
            whitening = Whitening(arrays["mean"], directions, arrays["reduction"])
            codes = files.unpacked(facts["n"], arrays["codes"])
            background = Background(codes, arrays["word"].astype(np.int64), arrays["speaker"].astype(np.int64), tuple(facts["names"]))
            low, high = map(float, facts["activity"])
            table, settings = _calibration(facts["calibration"]), CodeSettings(**facts["settings"])
            veto, early = (None if facts.get(name) is None else _calibration(facts[name]) for name in ("veto", "early"))
            found = cls(settings, whitening, background, table, facts["network"], (low, high), veto, early)
            found.codes(np.zeros((1, facts["n"] // 2)))
        except (InputError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: expected a backbone, but its content does not fit together ({reason}). Copy it again.") from error
        return found


def fit_backbone(
    features: ArrayLike,
    word: ArrayLike,
    speaker: ArrayLike,
    names: tuple[str, ...],
    settings: CodeSettings | None = None,
    *,
    looks: Sequence[Features] | None = None,
    clips: int = 2000,
    taught: int = 3,
    network: str = "",
    seed: int = 0,
) -> Backbone:
    """Compute a backbone from features of known words, in closed form.

    Args:
        features: counts of hidden spikes, or other features, [N, D].
        word: index of the word of each row in `names`, [N].
        speaker: speaker of each row, [N].
        names: names of the words, at least 4.
        settings: how features become a code.
        looks: features of the beginnings of each row, [N][L_i, D], from `features_and_looks`; None if every word has to end before it is
            decided.
        clips: largest number of codes that is kept as background.
        taught: number of clips of one speaker that each known word is taught with, for the calibration.
        network: fingerprint of the network.
        seed: seed of the choice of these clips.
    Raises:
        InputError: the arrays do not match, or there are too few words.
    """
    settings = settings or CodeSettings()
    x, y, who = np.asarray(features, np.float32), np.asarray(word, np.int64), np.asarray(speaker, np.int64)
    fitted = fit_whitening(x, y, shrinkage=settings.shrinkage, rank=settings.rank)
    whitening = Whitening(fitted.mean, _rounded(fitted.directions), fitted.reduction)
    everything = Background(on_off_winners(whitening(x), settings.density), y, who, names)
    kept, (low, high) = everything.thinned(clips), np.quantile(x.sum(1), _USUAL)
    usual, veto = calibrated(everything, taught, seed), calibrated(kept, taught, seed, veto=True)
    early = None
    if looks is not None:
        codes = [on_off_winners(whitening(rows), settings.density) for rows in looks]
        early = calibrated(everything, taught, seed, looks=codes)
    return Backbone(settings, whitening, kept, usual, network, (float(low), float(high)), veto, early)


def calibrated(
    background: Background,
    taught: int = 3,
    seed: int = 0,
    draws: int = 3,
    clips: int = 6000,
    veto: bool = False,
    looks: Sequence[SDR] | None = None,
) -> Calibration:
    """Compute the table of kappa by teaching every known word from `taught` clips of one speaker, `draws` times.

    Args:
        background: codes of known words.
        taught: number of clips that a word is taught with.
        seed: seed of the choice of clips.
        draws: number of speakers per word.
        clips: largest number of background clips that are used.
        veto: teach the words with a veto by known words; neither the word itself nor one that is left out may veto.
        looks: codes of the beginnings of each clip; a clip that is left out fires if it or a beginning reaches the threshold. Not with a
            veto.
    """
    kept, rng = background.spread(clips), np.random.default_rng(seed)
    probes, beginnings = background.subset(kept), None if looks is None else _Beginnings([looks[i] for i in kept])
    known = KnownWords(probes) if veto else None
    scores, words, usable, own = list[Whole | Callable[[int], Whole]](), list[int](), list[Mask](), list[Mask]()
    heard = list[Whole]()
    for word in np.unique(background.word):
        clips_of = np.flatnonzero(background.word == word)
        for speaker in rng.permutation(np.unique(background.speaker[clips_of]))[:draws]:
            theirs = clips_of[background.speaker[clips_of] == speaker]
            chosen = rng.permutation(theirs if len(theirs) >= taught else clips_of)[:taught]
            stored = background.codes[np.sort(chosen)]
            found = probes.scores(stored)
            if beginnings is not None:
                heard.append(beginnings.largest(stored, found))
            scores.append(found if known is None else partial(_with_veto, known, found, int(word)))
            words.append(int(word))
            others = probes.speaker != speaker
            every = len(np.unique(probes.word[others])) == probes.words  # else there are too few speakers to leave one out
            usable.append(others if every else np.ones_like(others))
            own.append(~others)
    return calibrate(scores, words, probes.word, usable, own, heard if beginnings else None, sizes=_FEW_WORDS, seed=seed)


class _Beginnings:
    """Codes of the beginnings of clips."""

    def __init__(self, looks: Sequence[SDR]) -> None:
        self.clip = np.repeat(np.arange(len(looks)), [len(codes) for codes in looks])
        self.codes = stack([codes for codes in looks if len(codes)]) if len(self.clip) else None

    def largest(self, stored: SDR, scores: Whole) -> Whole:
        """Return the largest score of each clip, given those of whole clips, and its beginnings, for the stored codes of a word."""
        found = scores.copy()
        if self.codes is not None:
            np.maximum.at(found, self.clip, summed_overlaps(stored, self.codes))
        return found


def _with_veto(known: KnownWords, scores: Whole, taught: int, left: int) -> Whole:
    return known.apply(scores, scores, known.of_background, known.rivals(scores, (taught, left)))


def _bytes(directions: Features) -> tuple[NDArray[np.int8], Features]:
    """Return directions [D, R] as int8 with a power of two per column, so that rounding them again changes nothing."""
    largest = np.maximum(np.abs(directions).max(0, initial=0), 1e-30)
    scale = np.exp2(np.ceil(np.log2(largest / 127))).astype(np.float32)
    return np.rint(directions / scale).astype(np.int8), scale


def _rounded(directions: Features) -> Features:
    whole, scale = _bytes(directions)
    return np.asarray(whole.astype(np.float32) * scale, np.float32)


def _calibration(facts: dict[str, Any]) -> Calibration:
    tables = {name: tuple(tuple(map(float, row)) for row in facts[name]) for name in ("kappa", "low", "high", "own_low", "own_high")}
    alphas, words = tuple(map(float, facts["alphas"])), tuple(map(int, facts["words"]))
    given = [rows for name, rows in tables.items() if rows or not name.startswith("own")]
    if any(len(rows) != len(words) or any(len(row) != len(alphas) for row in rows) for rows in given):
        raise InputError("calibration: expected a row for each number of words and a column for each rate")
    return Calibration(alphas, words, **tables, known=int(facts["known"]))
