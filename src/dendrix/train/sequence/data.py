"""Sources of sequences: frozen descriptions that load the splits and can be restored from a run record."""

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
    """The handwritten digits of scikit-learn as spikes, row by row."""

    name = "digits"

    row_steps: int = 8
    """Steps for each row of pixels; a brighter pixel fires earlier."""
    dt_ms: float = 1.0
    """Time step, in ms."""

    def load(self) -> Splits[Dataset]:
        """Load the three splits, encoded."""
        return digits(self.row_steps, self.dt_ms)


@dataclass(frozen=True)
class FsddData(DataSource):
    """The Free Spoken Digit Dataset."""

    name = "fsdd"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """Encoder that turns audio into the inputs of the network."""
    held_out_speaker: str | None = None
    """Test on all clips of this speaker and train on the others; by default the official split."""
    root: Path | None = None
    """Folder of wav files or of fsdd.npz; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """Load the three splits, encoded."""
        return fsdd(self.encoder, self.root, held_out_speaker=self.held_out_speaker)


@dataclass(frozen=True)
class CommandsData(DataSource):
    """The Arabic Speech Commands; no speaker occurs in two splits."""

    name = "commands"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """Encoder that turns audio into the inputs of the network."""
    words: Literal[40, 20] = 40
    """All 40 words, or 20: the digits and ten commands of the usual keyword tasks."""
    without: tuple[str, ...] = ()
    """Words that are left out, by their English names, such as those that the network is taught later; set `outputs` accordingly."""
    fold: int | None = None
    """Test on this third of all speakers, 0 to 2, and train on others; by default the official splits."""
    root: Path | None = None
    """File arabic_commands40.npz or its folder; by default the one that DENDRIX_DATA names."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "without", tuple(self.without))  # JSON has lists

    def load(self) -> Splits[Dataset]:
        """Load the three splits, encoded."""
        return commands(self.encoder, self.root, words=self.words, without=self.without, fold=self.fold)


@dataclass(frozen=True)
class ShdData(DataSource):
    """The Spiking Heidelberg Digits; validation is taken from the training file."""

    name = "shd"

    dt_ms: float = 10.0
    """Time step, in ms."""
    group: int = 5
    """Number of neighbouring units, of 700, that are summed to one channel."""
    from_first_spike: bool = True
    """Drop the silence before the first spike."""
    half_precision: bool = False
    """Bin times in float16, as in published results."""
    held_out: HeldOut = "random"
    """Validation data: a random fifth of the clips, all clips of one speaker, or, as in published results, the test clips."""
    split_seed: int = 0
    """Seed of the random fifth, or the number of the speaker."""
    root: Path | None = None
    """Folder of shd_train.h5 and shd_test.h5; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """Load the three splits, binned."""
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
    """Time step, in ms."""
    group: int = 5
    """Number of neighbouring units, of 700, that are summed to one channel."""
    from_first_spike: bool = True
    """Drop the silence before the first spike."""
    half_precision: bool = False
    """Bin times in float16, as in published results."""
    root: Path | None = None
    """Folder of ssc_train.h5, ssc_valid.h5 and ssc_test.h5; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """Load the three splits, binned."""
        return ssc(
            self.root,
            dt_ms=self.dt_ms,
            group=self.group,
            from_first_spike=self.from_first_spike,
            half_precision=self.half_precision,
        )


@dataclass(frozen=True)
class SpeechCommandsData(DataSource):
    """Google Speech Commands v0.02, 35 words, with the official split."""

    name = "speech-commands"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """Encoder that turns audio into the inputs of the network."""
    exactly_s: float | None = None
    """Crop or pad every clip to this length, in s."""
    root: Path | None = None
    """Unpacked folder of the archive; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """Load the three splits, encoded."""
        return speech_commands(self.encoder, self.root, exactly_s=self.exactly_s)


@dataclass(frozen=True)
class WavFolderData(DataSource):
    """Your own recordings: a folder with one sub-folder of wav files for each class."""

    name = "wav-folder"

    encoder: SpeechEncoder = field(default_factory=Cochlea)
    """Encoder that turns audio into the inputs of the network."""
    valid: float = 0.1
    """Share of the clips for validation."""
    test: float = 0.1
    """Share of the clips for testing."""
    split_seed: int = 0
    """Seed of the split."""
    speaker_mark: str = "_nohash_"
    """Text that follows the speaker in a file name; the clips of a speaker then stay in one split."""
    longest_s: float = 60.0
    """Longest accepted clip, in s."""
    root: Path | None = None
    """Folder of the data; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """Load the three splits, encoded."""
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
    """N-MNIST: digits recorded with an event camera."""

    name = "nmnist"

    dt_ms: float = 10.0
    """Time step, in ms."""
    pool: int = 2
    """Side of the square of pixels whose events are summed."""
    duration_ms: float | None = None
    """Crop or pad every recording to this length, in ms."""
    split_seed: int = 0
    """Seed of the choice of validation data."""
    root: Path | None = None
    """Folder of Train and Test, or of nmnist_small.npz; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[Dataset]:
        """Load the three splits, binned."""
        return nmnist(self.root, dt_ms=self.dt_ms, pool=self.pool, duration_ms=self.duration_ms, seed=self.split_seed)
