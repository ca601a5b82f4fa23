"""Text from a trained language model: fast decoding, sampling, and characters as they are complete."""

from .conversation import Conversation as Conversation
from .conversation import generate as generate
from .decoder import Decoder as Decoder
from .packing import Weights as Weights
from .sampling import Sampling as Sampling
from .sampling import sample as sample
from .text_stream import TextStream as TextStream
