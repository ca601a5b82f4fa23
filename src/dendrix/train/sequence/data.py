"""Sources of sequences: frozen descriptions that load the splits and that a run record can bring back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...data import (
    Cochlea,
    Dataset,
    EvenMel,
    IntegerMel,
    LogMel,
    MelLatency,
    MelLevels,
    MelLIF,
    MelRate,
    PublishedCochlea,
    PublishedMel,
    Splits,
    commands,
    digits,
    fsdd,
    nmnist,
    shd,
    speech_commands,
    ssc,
    wav_folder,
)
from ...data.events.shd import HeldOut
from ..recipe import DataSource

SpeechEncoder = Cochlea | EvenMel | IntegerMel | LogMel | MelLatency | MelLevels | MelLIF | MelRate | PublishedCochlea | PublishedMel


@dataclass(frozen=True)
class DigitsData(DataSource):
    """The handwritten digits of scikit-learn, sent row by row as spikes."""

    name = "digits"

    row_steps: int = 8
    """The window of one row, in steps; a brighter pixel fires earlier in it."""
    dt_ms: float = 1.0
    """The time step, in ms."""

    def load(self) -> Splits[Dataset]:
        """The three splits, encoded."""
        return digits(self.row_steps, self.dt_ms)


@dataclass(frozen=True)
class FsddData(DataSource):
    """The Free Spoken Digit Dataset."""

    name = "fsdd"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """What the network hears with."""
    held_out_speaker: str | None = None
    """Test on all clips of this speaker and train on the others; by default the official split."""
    root: Path | None = None
    """The folder of wav files or of fsdd.npz; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """The three splits, encoded."""
        return fsdd(self.encoder, self.root, held_out_speaker=self.held_out_speaker)


@dataclass(frozen=True)
class CommandsData(DataSource):
    """The Arabic Speech Commands, splits without a common speaker."""

    name = "commands"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """What the network hears with."""
    words: Literal[40, 20] = 40
    """All words, or the digits and ten commands that the usual keyword tasks have too."""
    root: Path | None = None
    """The file arabic_commands40.npz or its folder; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """The three splits, encoded."""
        return commands(self.encoder, self.root, words=self.words)


@dataclass(frozen=True)
class ShdData(DataSource):
    """The Spiking Heidelberg Digits; validation is taken from the training file."""

    name = "shd"

    dt_ms: float = 10.0
    """The time step, in ms."""
    group: int = 5
    """Neighbouring units of the 700 that are summed to one channel."""
    from_first_spike: bool = True
    """Drop the silence before the first spike."""
    half_precision: bool = False
    """Compute with times in float16, as published results did."""
    held_out: HeldOut = "random"
    """Validation takes a random fifth of the clips, all clips of one speaker, or, as published results did, the clips for testing."""
    split_seed: int = 0
    """Of the random fifth, or the number of the speaker."""
    root: Path | None = None
    """The folder of shd_train.h5 and shd_test.h5; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """The three splits, counted."""
        return shd(
            self.root,
            dt_ms=self.dt_ms,
            group=self.group,
            from_first_spike=self.from_first_spike,
            half_precision=self.half_precision,
            held_out=self.held_out,
            seed=self.split_seed,
        )


@dataclass(frozen=True)
class SscData(DataSource):
    """The Spiking Speech Commands."""

    name = "ssc"

    dt_ms: float = 10.0
    """The time step, in ms."""
    group: int = 5
    """Neighbouring units of the 700 that are summed to one channel."""
    from_first_spike: bool = True
    """Drop the silence before the first spike."""
    half_precision: bool = False
    """Compute with times in float16, as published results did."""
    root: Path | None = None
    """The folder of ssc_train.h5, ssc_valid.h5 and ssc_test.h5; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """The three splits, counted."""
        return ssc(
            self.root,
            dt_ms=self.dt_ms,
            group=self.group,
            from_first_spike=self.from_first_spike,
            half_precision=self.half_precision,
        )


@dataclass(frozen=True)
class SpeechCommandsData(DataSource):
    """Google Speech Commands v0.02, 35 words, by its lists."""

    name = "speech-commands"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """What the network hears with."""
    exactly_s: float | None = None
    """Cut or fill up every clip to this length, in s."""
    root: Path | None = None
    """The folder that was in the archive; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """The three splits, encoded."""
        return speech_commands(self.encoder, self.root, exactly_s=self.exactly_s)


@dataclass(frozen=True)
class WavFolderData(DataSource):
    """Your own recordings: a folder with one sub-folder of wav files for each class."""

    name = "wav-folder"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """What the network hears with."""
    valid: float = 0.1
    """The share for validation."""
    test: float = 0.1
    """The share for testing."""
    split_seed: int = 0
    """Of the split."""
    speaker_mark: str = "_nohash_"
    """What follows the speaker in a file name; speakers are then kept apart."""
    longest_s: float = 60.0
    """Refuse longer clips."""
    root: Path | None = None
    """The folder; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """The three splits, encoded."""
        return wav_folder(
            self.encoder,
            self.root,
            valid=self.valid,
            test=self.test,
            seed=self.split_seed,
            speaker_mark=self.speaker_mark,
            longest_s=self.longest_s,
        )


@dataclass(frozen=True)
class NmnistData(DataSource):
    """N-MNIST: digits before an event camera."""

    name = "nmnist"

    dt_ms: float = 10.0
    """The time step, in ms."""
    pool: int = 2
    """Pixels along each axis that are counted together."""
    duration_ms: float | None = None
    """Cut or fill up every recording to this length, in ms."""
    split_seed: int = 0
    """Of the validation part."""
    root: Path | None = None
    """The folder of Train and Test, or of nmnist_small.npz; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """The three splits, counted."""
        return nmnist(self.root, dt_ms=self.dt_ms, pool=self.pool, duration_ms=self.duration_ms, seed=self.split_seed)
