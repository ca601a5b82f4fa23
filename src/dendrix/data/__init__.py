"""Data sets, encoders and batches.

    splits = digits()                                  # or fsdd(FSDD_COCHLEA, root), commands(LogMel(16_000), root)
    for batch in loader(splits.train, 64, seed=0):     # x [B, T, C], valid [B, T], y [B]
        ...
    wave, rate = read_wav("seven.wav")
    x = FSDD_COCHLEA(wave, rate)                       # input of a network, [T, C]

A data set is a function that returns `Splits(train, valid, test)` of `Dataset`. An encoder is a frozen dataclass that is called on a
waveform; a causal encoder also has `stream(chunk, state)`.
"""

from .arrays import as_dataset, read_arrays
from .base import Batch, Dataset, ShuffledBatches, Splits, collate, loader
from .cochlea.integer_model import CochleaBound, IntegerCochlea, bound_cochlea
from .cochlea.model import Cochlea, PublishedCochlea
from .download import fetch
from .encoder import CausalEncoder, Encoder, encoder_to_dict
from .encoders import ENCODERS, encoder_from_dict, integer_encoder
from .events.arrays import Events, event_frames, events_from_array, read_events
from .events.gesture import dvs_gesture
from .events.nmnist import nmnist
from .events.shd import shd, ssc
from .images.base import ImageDataset, mnist_images
from .images.batches import image_batches, take_batch
from .images.cifar import cifar10
from .images.digits import digits
from .images.folder import ImageFiles, image_folder
from .images.mnist import Images, mnist
from .speech.audio import read_sound, read_wav, resample
from .speech.commands import commands
from .speech.even_mel import EvenMel
from .speech.fsdd import FSDD_COCHLEA, fsdd
from .speech.gsc import speech_commands
from .speech.integer_base import IntegerEncoder
from .speech.integer_mel import IntegerMel
from .speech.mel import LogMel
from .speech.mel_spikes import MelLatency, MelLevels, MelLIF, MelRate
from .speech.microphone import microphone
from .speech.published_mel import PublishedMel
from .speech.wav_folder import WavClips, find_wavs, wav_folder

__all__ = [
    "ENCODERS",
    "FSDD_COCHLEA",
    "Batch",
    "CausalEncoder",
    "Cochlea",
    "CochleaBound",
    "Dataset",
    "Encoder",
    "EvenMel",
    "Events",
    "ImageDataset",
    "ImageFiles",
    "Images",
    "IntegerCochlea",
    "IntegerEncoder",
    "IntegerMel",
    "LogMel",
    "MelLIF",
    "MelLatency",
    "MelLevels",
    "MelRate",
    "PublishedCochlea",
    "PublishedMel",
    "ShuffledBatches",
    "Splits",
    "WavClips",
    "as_dataset",
    "bound_cochlea",
    "cifar10",
    "collate",
    "commands",
    "digits",
    "dvs_gesture",
    "encoder_from_dict",
    "encoder_to_dict",
    "event_frames",
    "events_from_array",
    "fetch",
    "find_wavs",
    "fsdd",
    "image_batches",
    "image_folder",
    "integer_encoder",
    "loader",
    "microphone",
    "mnist",
    "mnist_images",
    "nmnist",
    "read_arrays",
    "read_events",
    "read_sound",
    "read_wav",
    "resample",
    "shd",
    "speech_commands",
    "ssc",
    "take_batch",
    "wav_folder",
]
