"""Taught words in numpy: the definition that C and WebAssembly equal to the bit.

    level of a frame of C values x, with 4 fractional bits:   (sum x << 4) + isqrt((C sum x^2 - (sum x)^2) << 8)
    threshold between the 5th and the 98th percentile of the smoothed levels; spans as in `teach.SpeechDetector`
    counts of spikes in bins -> whitening -> the `active` largest of [z, -z], of equal ones the first
    score of a word: sum of the overlaps with its codes; words compare by (score - mean) / deviation

Source: ours; the equations in real numbers are those of `dendrix.teach`.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.speech.integer_base import Ints
from ..errors import InputError
from .layout import rest
from .reference import traced
from .words import LEVEL, MOMENT, NARROW, SHARE, WEIGHT, Bits, DeployedWords, IntegerSpeech, WholeBackground, WholeWord


class Heard(NamedTuple):
    """Activity of a network on a clip: levels and spikes of every frame, those of the tail included."""

    levels: Ints
    """[T + tail]."""
    spikes: Bits
    """Of the coded layers side by side, [T + tail, H]."""


class Match(NamedTuple):
    """Decision about a code."""

    label: int
    """Index of the word, or -1 for none of them."""
    nearest: int
    score: int
    theta: int


class Found(NamedTuple):
    """A word that was found in a clip or in a stream."""

    onset: int
    """First frame."""
    offset: int
    """The frame after its last one, without the tail."""
    words: int
    """Number of words in the clip; 0 where no speech stands out, and all of it is coded. 1 in a stream."""
    code: Bits
    """[n]."""


def hear(made: DeployedWords, clips: Sequence[Ints], silence: int | None = None) -> list[Heard]:
    """Run the network on clips of 16-bit samples, int64 [N_i], each from rest, and on silent frames after it, by default the tail."""
    encoder = made.deployed.encoder
    assert encoder is not None
    return hear_frames(made, [encoder.run(np.pad(clip, (0, -len(clip) % encoder.hop)), encoder.init_state())[0] for clip in clips], silence)


def hear_frames(made: DeployedWords, frames: Sequence[Ints], silence: int | None = None) -> list[Heard]:
    """The same for frames [T_i, C]."""
    network, after = made.deployed.network, made.tail if silence is None else silence
    longest = max(map(len, frames)) + after
    x = np.stack([np.pad(part, ((0, longest - len(part)), (0, 0))) for part in frames])
    x_in = np.clip(x, network.inputs.low, -network.inputs.low - 1)
    row = rest(network.plan, network.constants.numpy().astype(np.int64))
    outputs = traced(network.layers(), network.plan, x_in, np.repeat(row[None], len(x), 0))
    spikes = np.concatenate([outputs[index] for index in made.coded_layers], -1).astype(bool)
    return [Heard(levels(part[: len(own) + after]), fired[: len(own) + after]) for part, own, fired in zip(x, frames, spikes, strict=True)]


def levels(frames: Ints) -> Ints:
    """Level of frames [T, C]."""
    count, total = frames.shape[1], frames.sum(1)
    spread = (count * (frames**2).sum(1) - total**2) << (2 * LEVEL)
    found: Ints = (total << LEVEL) + np.array([math.isqrt(int(value)) for value in spread], np.int64)
    return found


def smoothed(found: Ints, width: int) -> Ints:
    """Mean over `width` frames around each of [T], rounded down; at the ends over those that exist."""
    width = min(width, len(found))
    sums = np.concatenate([[0], found.cumsum()])
    last = np.minimum(np.arange(len(found)) + (width - 1) // 2 + 1, len(found))
    first = np.maximum(np.arange(len(found)) + (width - 1) // 2 + 1 - width, 0)
    means: Ints = (sums[last] - sums[first]) // (last - first)
    return means


def percentile(ordered: Ints, percent: int) -> int:
    """A percentile of ordered numbers [T], times 100."""
    place, part = divmod(percent * (len(ordered) - 1), 100)
    return int(ordered[place]) * (100 - part) + int(ordered[min(place + 1, len(ordered) - 1)]) * part


def spans(speech: IntegerSpeech, found: Ints) -> list[tuple[int, int]]:
    """Words in frames of these levels [T]: first frame, and the one after the last."""
    if not len(found):
        return []
    smooth = smoothed(found, speech.smoothing)
    ordered = np.sort(smooth)
    floor, peak = percentile(ordered, 5), percentile(ordered, 98)
    if peak - floor < max(100 * speech.least, (speech.contrast * peak) >> SHARE):
        return []
    active = 100 * smooth > floor + ((speech.share * (peak - floor)) >> SHARE)
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0)).reshape(-1, 2).tolist()
    joined: list[tuple[int, int]] = []
    for onset, offset in edges:
        if joined and onset - joined[-1][1] <= speech.pause:
            joined[-1] = joined[-1][0], offset
        else:
            joined.append((onset, offset))
    return [(onset, offset) for onset, offset in joined if offset - onset >= speech.shortest]


def edges(onset: int, offset: int, bins: int) -> list[int]:
    """Edges of bins of equal length, as `teach.codes.bin_edges`: rounded to whole frames, halves up."""
    return [onset + (2 * k * (offset - onset) + bins) // (2 * bins) for k in range(bins + 1)]


def code_of(made: DeployedWords, spikes: Bits, onset: int, offset: int) -> Bits:
    """Code [n] of the frames `onset` to before `offset` of spikes [T, H]."""
    places = np.clip(edges(onset, offset, made.bins), 0, len(spikes))
    counts = np.concatenate([spikes[first:last].sum(0) for first, last in itertools.pairwise(places)])
    z = made.whitening(counts[None].astype(np.int64))[0]
    both = np.concatenate([z, -z])
    code = np.zeros(made.n, bool)
    code[np.argsort(-both, kind="stable")[: made.active]] = True
    return code


def find(made: DeployedWords, heard: Heard) -> Found:
    """The speech of a clip, from its first to its last word.

    Raises:
        InputError: the clip has more frames than the memory of a stream.
    """
    count = len(heard.levels) - made.tail
    if len(heard.levels) > made.memory:
        raise InputError(f"clip: expected at most {made.memory - made.tail} frames, got {count}. Cut it to the word.")
    words = spans(made.speech, heard.levels[:count])
    onset, offset = (words[0][0], words[-1][1]) if words else (0, count)
    return Found(onset, offset, len(words), code_of(made, heard.spikes, onset, offset + made.tail))


def listen(made: DeployedWords, heard: Heard) -> Iterator[tuple[int, Found]]:
    """Words of a stream, and the number of frames after which each was found; at most one at each look."""
    decided, end = 0, len(heard.levels)
    for now in range(made.step, end + made.step, made.step):
        now = min(now, end)
        first = max(now - made.memory, 0)
        looked = heard.levels[first : max(now - made.tail, first)]
        for onset, offset in spans(made.speech, looked):
            if offset < len(looked) and (onset or not first) and first + onset >= decided:
                decided = first + offset
                code = code_of(made, heard.spikes[first:now], onset, offset + made.tail)
                yield now, Found(first + onset, decided, 1, code)
                break


def scores(codes: Bits, code: Bits) -> NDArray[np.int64]:
    """Overlaps of a code [n], or of codes [N, n], with K codes [K, n], summed over them: [N]."""
    return np.asarray((np.atleast_2d(code).astype(np.int64) @ codes.T.astype(np.int64)).sum(1))


def decide(words: Sequence[WholeWord], code: Bits) -> Match:
    """The best word that reaches its threshold, else the nearest one; of equal words the first."""
    best, reached, kept = -1, False, 0
    for index, word in enumerate(words):
        score = int(scores(word.codes, code)[0])
        fires = score >= word.theta
        if best < 0 or fires > reached or (fires == reached and _above(score, word, kept, words[best])):
            best, reached, kept = index, fires, score
    return Match(best if reached else -1, best, kept, words[best].theta)


def _above(score: int, word: WholeWord, other: int, best: WholeWord) -> bool:
    """Whether a word stands farther above its background than the best one so far."""
    return ((score << MOMENT) - word.mean) * best.deviation > ((other << MOMENT) - best.mean) * word.deviation


def teach(codes: Bits, background: WholeBackground, share: int) -> WholeWord:
    """A word of codes [K, n], whose threshold lets a share of the background pass."""
    found, weights = scores(codes, background.codes), background.weights
    low, high = int(found.min()), int(found.max()) + 1
    while low < high:
        middle = (low + high) // 2
        if int(weights[found >= middle].sum()) <= share:
            high = middle
        else:
            low = middle + 1
    mean = int(found @ weights) >> (WEIGHT - MOMENT)
    variance = int((weights >> NARROW) @ ((found << MOMENT) - mean) ** 2) >> (WEIGHT - NARROW)
    return WholeWord(codes, low, mean, max(math.isqrt(variance), 1))
