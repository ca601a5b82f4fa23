"""Text generation: fast decoding, sampling, log-probabilities, and streaming of complete characters."""

from .conversation import Conversation, generate
from .decoder import Decoder
from .packing import Weights
from .sampling import Sampler, Sampling, draw, sample
from .scores import TokenScore, token_scores
from .text_stream import TextStream

__all__ = [
    "Conversation",
    "Decoder",
    "Sampler",
    "Sampling",
    "TextStream",
    "TokenScore",
    "Weights",
    "draw",
    "generate",
    "sample",
    "token_scores",
]
