"""Data: from sound and images to batches.

    splits = digits()                                  # or fsdd(FSDD_COCHLEA, root), commands(LogMel(16_000), root)
    for batch in loader(splits.train, 64, seed=0):     # x [B, T, C], valid [B, T], y [B]
        ...
    wave, rate = read_wav("seven.wav")
    x = FSDD_COCHLEA(wave, rate)                       # [T, C]: what the network hears

A data set is a function that returns `Splits(train, valid, test)` of `Dataset`. An encoder is a frozen dataclass that is
called on a wave; a causal one also has `stream(chunk, state)`.
"""

from .audio import read_wav as read_wav
from .audio import resample as resample
from .cifar import cifar10 as cifar10
from .cochlea import Cochlea as Cochlea
from .cochlea import PublishedCochlea as PublishedCochlea
from .commands import commands as commands
from .dataset import Batch as Batch
from .dataset import Dataset as Dataset
from .dataset import ShuffledBatches as ShuffledBatches
from .dataset import Splits as Splits
from .dataset import collate as collate
from .dataset import loader as loader
from .digits import digits as digits
from .download import fetch as fetch
from .encoder import CausalEncoder as CausalEncoder
from .encoder import Encoder as Encoder
from .encoder import encoder_to_dict as encoder_to_dict
from .encoders import ENCODERS as ENCODERS
from .encoders import encoder_from_dict as encoder_from_dict
from .even_mel import EvenMel as EvenMel
from .events import Events as Events
from .events import event_frames as event_frames
from .events import events_from_array as events_from_array
from .events import read_events as read_events
from .fsdd import FSDD_COCHLEA as FSDD_COCHLEA
from .fsdd import fsdd as fsdd
from .gsc import speech_commands as speech_commands
from .image_batches import ImageBatch as ImageBatch
from .image_batches import image_batches as image_batches
from .image_batches import take_batch as take_batch
from .image_folder import FileSplits as FileSplits
from .image_folder import ImageFiles as ImageFiles
from .image_folder import image_folder as image_folder
from .images import ImageDataset as ImageDataset
from .images import ImageSplits as ImageSplits
from .images import mnist_images as mnist_images
from .mel import LogMel as LogMel
from .mel_spikes import MelLatency as MelLatency
from .mel_spikes import MelLevels as MelLevels
from .mel_spikes import MelLIF as MelLIF
from .mel_spikes import MelRate as MelRate
from .mnist import Images as Images
from .mnist import mnist as mnist
from .nmnist import nmnist as nmnist
from .published_mel import PublishedMel as PublishedMel
from .shd import shd as shd
from .shd import ssc as ssc
from .wav_folder import WavClips as WavClips
from .wav_folder import find_wavs as find_wavs
from .wav_folder import wav_folder as wav_folder
