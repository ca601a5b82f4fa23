"""Taught words in whole numbers beside their floating-point form, on recordings of the test splits: writes benchmarks/words.json.

    DENDRIX_DATA=... python benchmarks/words.py

Every word of a speaker is taught from three of the speaker's clips at a rate of 5 %, 10 words to a vocabulary, and heard by both forms on
the other clips of that speaker. Words are taught in floating point, as `dendrix teach` does, or from codes of the integer network itself.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dendrix.core.files import write_json
from dendrix.data import Dataset
from dendrix.deploy import DeployedWords, words_sizes
from dendrix.deploy.words import bits_of
from dendrix.deploy.words_reference import Heard, decide, find, hear_frames, levels, teach
from dendrix.runs.opened import open_run, source_of
from dendrix.runs.teaching import open_coder
from dendrix.runs.words_deployment import deployed_words
from dendrix.sdr import SDR
from dendrix.teach import Backbone, Vocabulary, Whitening, on_off_winners, speech_features

RATE, TAUGHT, WORDS, BATCH = 0.05, 3, 10, 100
Bits = np.ndarray


def spikes_of(made: DeployedWords, frames: list[np.ndarray]) -> list[Heard]:
    """As `hear_frames` for LIF layers without feedback, one matrix product for each delay: the reference takes an hour for these data.

    Products in float64 are exact, as all sums stay below 2^53.
    """
    longest = max(map(len, frames)) + made.tail
    x = np.stack([np.pad(part, ((0, longest - len(part)), (0, 0))) for part in frames])
    form = made.deployed.network.inputs
    y, coded = np.clip(x, form.low, -form.low - 1), []
    for index, layer in enumerate(made.deployed.network.layers()[: made.coded_layers.stop]):
        arrived = np.zeros((*y.shape[:2], layer.form.outputs))
        for lag in range(layer.form.taps):
            weight = np.where(layer.delay == lag, layer.weight, 0).sum(2).T.astype(np.float64)
            arrived[:, lag:] += y[:, : longest - lag].astype(np.float64) @ weight
        drive = (arrived.astype(np.int64) << layer.form.shift) + layer.bias
        v, y = np.broadcast_to(layer.start, drive[:, 0].shape), np.zeros(drive.shape, np.int64)
        for t in range(longest):
            h = np.clip(((layer.decay * v + 2**14) >> 15) + drive[:, t], -(2**31), 2**31 - 1)
            y[:, t] = h >= layer.threshold
            v = np.where(y[:, t] > 0, h - layer.threshold if layer.form.soft else layer.reset, h)
        if index in made.coded_layers:
            coded.append(y.astype(bool))
    fired = np.concatenate(coded, -1)
    return [Heard(levels(x[i, : len(own) + made.tail]), fired[i, : len(own) + made.tail]) for i, own in enumerate(frames)]


def integer_codes(made: DeployedWords, data: Dataset) -> Bits:
    """Codes of clips by the integer network, [N, n]."""
    frames = [np.rint(data[i][0].numpy() * 2.0**made.deployed.network.inputs.shift).astype(np.int64) for i in range(len(data))]
    for one, expected in zip(spikes_of(made, frames[:3]), hear_frames(made, frames[:3]), strict=True):
        if not (np.array_equal(one.spikes, expected.spikes) and np.array_equal(one.levels, expected.levels)):
            raise SystemExit("spikes differ from those of the reference")
    return np.array([find(made, one).code for at in range(0, len(frames), BATCH) for one in spikes_of(made, frames[at : at + BATCH])])


def measured(name: str) -> dict[str, object]:
    """Agreement of both forms for a shipped network."""
    coder, opened = open_coder(name), open_run(name, "test")
    backbone, made = coder.backbone, deployed_words(Vocabulary(coder.backbone), name)
    data = opened.data
    whole = replace(source_of(opened.folder), encoder=made.deployed.encoder).load().test
    features = speech_features(coder.network, [data[i][0] for i in range(len(data))], coder.encoder.dt_ms, backbone.settings)
    float_codes, codes = backbone.codes(features), integer_codes(made, whole)
    same_input = made.whitening(np.rint(features).astype(np.int64))
    both = np.concatenate([same_input, -same_input], 1)
    rounded = SDR.from_indices(backbone.n, np.argsort(-both, axis=1, kind="stable")[:, : made.active])
    overlaps = (bits_of(float_codes) & codes).sum(1)
    size = words_sizes(made)
    return {
        "clips": len(data),
        "code_bits": backbone.n,
        "active": made.active,
        "overlap_of_codes": float(overlaps.mean() / made.active),
        "overlap_of_codes_from_the_same_spikes": float((bits_of(float_codes) & bits_of(rounded)).sum(1).mean() / made.active),
        "bytes": {"whitening": size.whitening, "background": size.background, "word": 3 * backbone.n // 8 + 16, "ram": size.memory},
        "whitening_in_16_bits_bytes": size.whitening + made.whitening.directions.size,
        **_decisions(backbone, made, float_codes, codes, data.y.numpy(), np.asarray(data.speaker)),
    }


def _decisions(backbone: Backbone, made: DeployedWords, floats: SDR, codes: Bits, y: Bits, speaker: Bits) -> dict[str, object]:
    rng, rows = np.random.default_rng(0), []
    for who in np.unique(speaker):
        known = rng.permutation(np.unique(y[speaker == who]))
        for first in range(0, len(known) - WORDS + 1, WORDS):
            chosen, vocabulary = known[first : first + WORDS], Vocabulary(backbone)
            used, whole = [], []
            for word in chosen:
                own = rng.permutation(np.flatnonzero((y == word) & (speaker == who)))[:TAUGHT]
                used += own.tolist()
                vocabulary.teach(str(word), floats[own], RATE)
                whole.append(teach(codes[own], made.background, made.share(RATE)))
            stored = [replace(one, codes=bits_of(word.codes)) for one, word in zip(whole, vocabulary.words.values(), strict=True)]
            again = [teach(one.codes, made.background, made.share(RATE)) for one in stored]
            probes = np.setdiff1d(np.flatnonzero(speaker == who), used)
            for probe, one in zip(probes, vocabulary.decide(floats[probes]), strict=True):
                label = None if one.label is None else int(one.label)
                from_float, from_whole = decide(again, codes[probe]), decide(whole, codes[probe])
                answers = [None if match.label < 0 else int(chosen[match.label]) for match in (from_float, from_whole)]
                nearest = [int(one.nearest), int(chosen[from_float.nearest]), int(chosen[from_whole.nearest])]
                rows.append((int(y[probe]), int(y[probe]) in chosen, label, *answers, *nearest))
            if again != [replace(one, theta=word.theta) for one, word in zip(again, vocabulary.words.values(), strict=True)]:
                raise SystemExit("a threshold differs from that of dendrix.teach")
    taught = [row for row in rows if row[1]]
    others = [row for row in rows if not row[1]]
    forms = ("float", "integer", "integer, taught with its own codes")
    return {
        "decisions": len(rows),
        "same_decision": float(np.mean([row[2] == row[3] for row in rows])),
        "same_decision, taught with its own codes": float(np.mean([row[2] == row[4] for row in rows])),
        "recognised": {form: float(np.mean([row[2 + k] == row[0] for row in taught])) for k, form in enumerate(forms)},
        "ten_way": {form: float(np.mean([row[5 + k] == row[0] for row in taught])) for k, form in enumerate(forms)},
        "false_alarms": {form: float(np.mean([row[2 + k] is not None for row in others])) for k, form in enumerate(forms)}
        if others
        else {},
    }


def rounding_of_directions(name: str) -> dict[str, float]:
    """Overlap of codes whose whitening has directions in 8 and 16 bits with those in floating point; same spikes, test clips."""
    from dendrix.teach import fit_whitening

    coder, train, test = open_coder(name), open_run(name, "train").data, open_run(name, "test").data
    settings = coder.backbone.settings
    x, probes = (
        speech_features(coder.network, [part[i][0] for i in range(len(part))], coder.encoder.dt_ms, settings) for part in (train, test)
    )
    fitted = fit_whitening(x, train.y.numpy(), shrinkage=settings.shrinkage, rank=settings.rank)
    exact, found = bits_of(on_off_winners(fitted(probes), settings.density)), {}
    for bits in (8, 16):
        scale = np.exp2(np.ceil(np.log2(np.abs(fitted.directions).max(0) / (2 ** (bits - 1) - 1))))
        rounded = Whitening(fitted.mean, (np.rint(fitted.directions / scale) * scale).astype(np.float32), fitted.reduction)
        codes = bits_of(on_off_winners(rounded(probes), settings.density))
        found[f"{bits} bits"] = float((exact & codes).sum() / exact.sum())
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {name: measured(name) for name in ("commands", "fsdd")}
    results["fsdd"]["overlap_of_codes_by_bits_of_directions"] = rounding_of_directions("fsdd")
    write_json(Path(__file__).with_name("words.json"), results)
    print(json.dumps(results, indent=1))
