"""Spoken digits (FSDD): log-mel frames, a spiking network, a decision 100 ms after the end of the word.

Settings were chosen on validation takes, not on test takes. All processing is causal.
"""

from dataclasses import replace

from ..data import FSDD_COCHLEA, EvenMel
from ..models import Decision, DelayNetConfig
from ..train.sequence.data import FsddData
from ..train.sequence.recipe import Budget, SequenceAugment, SequenceOptim, SequenceRecipe
from .variants import with_model


def recipe() -> SequenceRecipe:
    """Spoken digits (FSDD, official split), learned delays."""
    return SequenceRecipe(
        data=FsddData(EvenMel(dt_ms=20.0, window_ms=32.0, centred=True)),
        model=DelayNetConfig(inputs=24, outputs=10, hidden=(128, 128), max_delay_ms=250.0, dt_ms=20.0, spike_alpha=2.0, dropout=0.0),
        decision=Decision(accumulation="mean", tail_ms=100.0),
        optim=SequenceOptim(lr=0.02, delay_lr=0.1),
        budget=Budget(epochs=12, batch_size=16, patience=12),
        augment=SequenceAugment(shift_channels=1, mask_channels=3, mask_steps=3, tempo=0.3),
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


def small() -> SequenceRecipe:
    """About 10,000 trained parameters."""
    main = recipe()
    return replace(
        with_model(main, hidden=(56, 56), spike_alpha=5.0, dropout=0.1),
        data=FsddData(EvenMel(dt_ms=20.0, window_ms=32.0)),
        early=0.5,
        optim=replace(main.optim, lr=0.01),
        budget=Budget(epochs=16, batch_size=16, patience=16),
    )


def cochlea() -> SequenceRecipe:
    """The same network with spikes as input: counts of 700 cells of a causal cochlea model, five per channel."""
    main, ear = recipe(), replace(FSDD_COCHLEA, dt_ms=20.0)
    return replace(with_model(main, inputs=ear.channels), data=FsddData(ear))


def early() -> SequenceRecipe:
    """The same, with half of the loss on every step, for early decisions with exit rules."""
    return replace(recipe(), early=0.5)
