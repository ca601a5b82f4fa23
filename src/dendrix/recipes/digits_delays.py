"""Handwritten digits as spikes, row by row in eight channels: the effect of delays in a small spiking network.

All rows of pixels enter through the same channels, so the network must combine inputs of different times.
"""

from ..models import Decision, DelayNetConfig
from ..train.sequence.data import DigitsData
from ..train.sequence.recipe import Budget, SequenceOptim, SequenceRecipe
from .variants import with_model


def recipe() -> SequenceRecipe:
    """Handwritten digits as spikes, learned delays: the demo."""
    return SequenceRecipe(
        data=DigitsData(row_steps=4),
        model=DelayNetConfig(inputs=8, outputs=10, hidden=(128,), max_delay_ms=30.0, dt_ms=1.0, dropout=0.3),
        decision=Decision(accumulation="last"),
        optim=SequenceOptim(lr=1e-2, delay_lr=0.1),
        budget=Budget(epochs=20, batch_size=32),
    )


def none() -> SequenceRecipe:
    """The same without delays."""
    return with_model(recipe(), delays="none")


def random() -> SequenceRecipe:
    """The same with delays that stay at their random start."""
    return with_model(recipe(), delays="random")


def axonal() -> SequenceRecipe:
    """The same with one delay per neuron instead of one per synapse."""
    return with_model(recipe(), granularity="axonal")
