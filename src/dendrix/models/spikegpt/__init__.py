"""SpikeGPT: network, initialisation, released checkpoints and classifier.

`hf` and `hf_files` require transformers and are not imported here: import them by their full names.
"""

from .classifier import SpikeGPTClassifier
from .deployment import deployable, unfolded
from .network import SpikeGPT, SpikeGPTBody, SpikeGPTConfig, published_46m, published_216m
from .neurons import NeuronConfig, SpikeNeurons
from .released import load_released

__all__ = [
    "NeuronConfig",
    "SpikeGPT",
    "SpikeGPTBody",
    "SpikeGPTClassifier",
    "SpikeGPTConfig",
    "SpikeNeurons",
    "deployable",
    "load_released",
    "published_46m",
    "published_216m",
    "unfolded",
]
