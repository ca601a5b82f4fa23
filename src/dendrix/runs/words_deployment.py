"""Export of taught words: the integer network of a vocabulary, and its codes, thresholds and background in whole numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..core import expect_fields
from ..core.trust import Trust
from ..data import integer_encoder
from ..data.speech.audio import read_sound
from ..data.speech.integer_base import Ints, samples
from ..deploy import Deployed, DeployedWords, IntegerNetwork, WordsSizes, export_words_c, export_words_wasm, quantise, words_sizes
from ..deploy.words import (
    LARGEST_SCORE,
    LEVEL,
    MOMENT,
    RATES,
    SHARE,
    WEIGHT,
    IntegerSpeech,
    Rate,
    WholeBackground,
    WholeWord,
    bits_of,
    whole_whitening,
)
from ..errors import InputError
from ..exits.network import Item
from ..pretrained import find_run
from ..pretrained.catalogue import is_shipped
from ..run_folder.checkpoint import Checkpoint, load_checkpoint
from ..run_folder.record import expect_new
from ..samples import find_sample
from ..samples import samples as sample_names
from ..teach import Backbone, SpeechDetector, Vocabulary, word_weights
from .deployment import sounds
from .opened import open_run
from .prediction import encoder_of
from .sample_data import sample_data
from .teaching import open_vocabulary

_CALIBRATION = 512
"""Training inputs that choose the scale of the input."""
_MEMORY_MS, _STEP_MS = 2500.0, 50.0
"""Length of the window in which words are found, and time between two looks, as in `teach.listen_for`."""
EXPORTS: dict[str, Callable[..., None]] = {"c": export_words_c, "wasm": export_words_wasm}
"""Exports of taught words by the name of their target."""


@dataclass(frozen=True)
class DeployWords:
    """How to deploy a vocabulary."""

    vocabulary: Path
    """File that `dendrix teach` wrote."""
    weights: int = 8
    """Bits of a weight of the network, 2 to 8."""
    clips: int = 5
    """Number of test vectors."""
    root: Path | None = None
    """Folder of the training data, if it has moved. A shipped network takes its samples without it."""
    trust: Trust = None

    def __post_init__(self) -> None:
        expect_fields(self, whole=("weights", "clips"), weights="[2, 8]", clips="[1, 100]")


@dataclass(frozen=True)
class ReadyWords:
    """What was exported."""

    deployed: DeployedWords
    sizes: WordsSizes


def export_words(asked: DeployWords, to: Literal["c", "wasm"], folder: Path) -> ReadyWords:
    """Deploy a vocabulary into a new folder.

    Args:
        asked: what to deploy and how.
        to: the target.
        folder: a new folder.
    Raises:
        FileExistsError: the folder exists.
        OSError: the vocabulary, its network or its data are missing or not readable.
        InputError: a part of the network has no integer form, or the vocabulary is empty.
    """
    expect_new(folder)
    vocabulary, coder = open_vocabulary(asked.vocabulary, trust=asked.trust)
    if not len(vocabulary):
        raise InputError(f"{asked.vocabulary}: expected a vocabulary with words, got an empty one. Teach one first.")
    made = deployed_words(vocabulary, vocabulary.source, coder.detector, asked.weights, asked.root, asked.trust)
    EXPORTS[to](made, folder, _clips(made, find_run(vocabulary.source), asked.clips))
    return ReadyWords(made, words_sizes(made))


def deployed_words(
    vocabulary: Vocabulary,
    run: str | Path,
    detector: SpeechDetector | None = None,
    weights: int = 8,
    root: Path | None = None,
    trust: Trust = None,
) -> DeployedWords:
    """Turn a vocabulary and its network into whole numbers.

    Args:
        vocabulary: the words; it may be empty where words are taught on the device.
        run: folder of the network, or the name of a shipped one.
        detector: finds the speech.
        weights: bits of a weight of the network.
        root: folder of the training data, if it has moved.
        trust: as in `open_run`.
    """
    folder = find_run(run)
    checkpoint = load_checkpoint(folder, trust=trust)
    network = checkpoint.model
    if not isinstance(network, IntegerNetwork):
        network = quantise(network, _inputs(folder, checkpoint, root, trust), weights=weights)
    return whole_words(vocabulary, checkpoint, network, detector)


def whole_words(
    vocabulary: Vocabulary, checkpoint: Checkpoint, network: IntegerNetwork, detector: SpeechDetector | None = None
) -> DeployedWords:
    """Turn a vocabulary into whole numbers beside an integer network, made of that of the checkpoint."""
    backbone, encoder = vocabulary.backbone, encoder_of(checkpoint)
    settings, dt = backbone.settings, encoder.dt_ms
    tail = round(settings.tail_ms / dt)
    memory = round(_MEMORY_MS / dt) + tail
    whitening = backbone.whitening
    deployed = Deployed(network, checkpoint.labels, checkpoint.decision, integer_encoder(encoder, network.inputs.shift), dt)
    return DeployedWords(
        deployed,
        settings.layers,
        settings.bins,
        tail,
        round(settings.density * backbone.n),
        memory,
        max(round(_STEP_MS / dt), 1),
        _speech(detector or SpeechDetector(), dt, network),
        whole_whitening(whitening.mean, whitening.directions, whitening.reduction, -(-memory // settings.bins) + 1),
        _background(backbone),
        _rates(backbone),
        _words(vocabulary, backbone),
    )


def _words(vocabulary: Vocabulary, backbone: Backbone) -> dict[str, WholeWord]:
    found = dict[str, WholeWord]()
    for name, word in vocabulary.words.items():
        if word.rivals:
            raise InputError(f"word '{name}': expected one without a veto, which has no integer form, got one with it. Teach it without.")
        if len(word.codes) * round(backbone.settings.density * backbone.n) > LARGEST_SCORE:
            raise InputError(f"word '{name}': expected fewer clips, got {len(word.codes)}, whose scores could overflow. Teach it again.")
        mean, deviation = (math.floor(value * 2**MOMENT + 0.5) for value in (word.mean, word.deviation))
        found[name] = WholeWord(bits_of(word.codes), word.theta, mean, max(deviation, 1))
    return found


def _background(backbone: Backbone) -> WholeBackground:
    background = backbone.background
    weights = np.floor(word_weights(background.word) * 2.0**WEIGHT).astype(np.int64)
    return WholeBackground(bits_of(background.codes), weights, background.word, background.names)


def _rates(backbone: Backbone) -> tuple[Rate, ...]:
    background, calibration, found = backbone.background, backbone.calibration, []
    for rate in RATES:
        if calibration.supports(rate, len(background), background.words):
            kappa, low, high = calibration.at(rate, background.words)
            found.append(Rate(rate, math.floor((kappa * rate + 1e-12) * 2**WEIGHT), low * rate, high * rate))
    return tuple(found)


def _speech(detector: SpeechDetector, dt: float, network: IntegerNetwork) -> IntegerSpeech:
    unit = network.inputs.channels * 2 ** (network.inputs.shift + LEVEL)
    return IntegerSpeech(
        share=round(detector.share * 2**SHARE),
        contrast=round(detector.contrast * 2**SHARE),
        least=round(detector.least * unit),
        smoothing=max(round(detector.smoothing_ms / dt), 1),
        pause=math.floor(detector.pause_ms / dt + 1e-9),
        shortest=max(math.ceil(detector.shortest_ms / dt - 1e-9), 1),
    )


def _inputs(folder: Path, checkpoint: Checkpoint, root: Path | None, trust: Trust) -> list[Item]:
    """Batches that choose the scale of the input: training data, or the samples of a shipped network."""
    if root is None and is_shipped(folder) and sample_names(folder.name):
        return list(sample_data(checkpoint, folder).batches())
    return list(open_run(folder, "train", root=root, trust=trust).sample(_CALIBRATION))


def _clips(made: DeployedWords, folder: Path, count: int) -> list[Ints]:
    """Test vectors: samples of a shipped network that have its rate, else noise and tones."""
    encoder = made.deployed.encoder
    assert encoder is not None
    names = sample_names(folder.name) if is_shipped(folder) else ()
    read = [read_sound(find_sample(name)) for name in names[:: max(len(names) // count, 1)][:count]]
    if read and all(rate == encoder.rate for _, rate in read):
        return [samples(wave) for wave, _ in read]
    return sounds(encoder, count)
