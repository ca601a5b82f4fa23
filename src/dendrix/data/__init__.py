"""Data: from sound and images to batches.

    splits = digits()                                  # or fsdd(FSDD_COCHLEA, root), commands(LogMel(16_000), root)
    for batch in loader(splits.train, 64, seed=0):     # x [B, T, C], valid [B, T], y [B]
        ...
    wave, rate = read_wav("seven.wav")
    x = FSDD_COCHLEA(wave, rate)                       # [T, C]: what the network hears

A data set is a function that returns `Splits(train, valid, test)` of `Dataset`. An encoder is a frozen dataclass that is
called on a wave; a causal one also has `stream(chunk, state)`.
"""

from .arrays import as_dataset as as_dataset
from .arrays import read_arrays as read_arrays
from .base import Batch as Batch
from .base import Dataset as Dataset
from .base import ShuffledBatches as ShuffledBatches
from .base import Splits as Splits
from .base import collate as collate
from .base import loader as loader
from .cochlea.model import Cochlea as Cochlea
from .cochlea.model import PublishedCochlea as PublishedCochlea
from .download import fetch as fetch
from .encoder import CausalEncoder as CausalEncoder
from .encoder import Encoder as Encoder
from .encoder import encoder_to_dict as encoder_to_dict
from .encoders import ENCODERS as ENCODERS
from .encoders import encoder_from_dict as encoder_from_dict
from .events.arrays import Events as Events
from .events.arrays import event_frames as event_frames
from .events.arrays import events_from_array as events_from_array
from .events.arrays import read_events as read_events
from .events.nmnist import nmnist as nmnist
from .events.shd import shd as shd
from .events.shd import ssc as ssc
from .images.base import ImageDataset as ImageDataset
from .images.base import mnist_images as mnist_images
from .images.batches import image_batches as image_batches
from .images.batches import take_batch as take_batch
from .images.cifar import cifar10 as cifar10
from .images.digits import digits as digits
from .images.folder import ImageFiles as ImageFiles
from .images.folder import image_folder as image_folder
from .images.mnist import Images as Images
from .images.mnist import mnist as mnist
from .speech.audio import read_wav as read_wav
from .speech.audio import resample as resample
from .speech.commands import commands as commands
from .speech.even_mel import EvenMel as EvenMel
from .speech.fsdd import FSDD_COCHLEA as FSDD_COCHLEA
from .speech.fsdd import fsdd as fsdd
from .speech.gsc import speech_commands as speech_commands
from .speech.mel import LogMel as LogMel
from .speech.mel_spikes import MelLatency as MelLatency
from .speech.mel_spikes import MelLevels as MelLevels
from .speech.mel_spikes import MelLIF as MelLIF
from .speech.mel_spikes import MelRate as MelRate
from .speech.published_mel import PublishedMel as PublishedMel
from .speech.wav_folder import WavClips as WavClips
from .speech.wav_folder import find_wavs as find_wavs
from .speech.wav_folder import wav_folder as wav_folder
