"""Text generation: fast decoding, sampling, and streaming of complete characters."""

from .conversation import Conversation, generate
from .decoder import Decoder
from .packing import Weights
from .sampling import Sampling, sample
from .text_stream import TextStream

__all__ = [
    "Conversation",
    "Decoder",
    "Sampling",
    "TextStream",
    "Weights",
    "generate",
    "sample",
]
