"""Spoken commands of speakers that are not in the training data: log-mel frames, a spiking network, a decision 100 ms after the clip.

Settings were chosen on the validation speakers, not on the test speakers. All processing is causal.
"""

from dataclasses import replace

from ..data import LogMel
from ..models import Decision, DelayNetConfig
from ..train.sequence.data import CommandsData
from ..train.sequence.recipe import Budget, SequenceAugment, SequenceOptim, SequenceRecipe
from .variants import with_model

COMMANDS_MEL = LogMel(rate=16_000, f_max=8_000.0, mean=-8.0, std=2.0)
"""Silence is zero, as after the clip, because the mean is the lower limit of the logarithm."""


def recipe() -> SequenceRecipe:
    """Spoken commands (40 Arabic words, unheard speakers), learned delays."""
    return SequenceRecipe(
        data=CommandsData(COMMANDS_MEL),
        model=DelayNetConfig(inputs=40, outputs=40, hidden=(256, 256), max_delay_ms=250.0, dt_ms=10.0, dropout=0.25),
        decision=Decision(accumulation="mean", tail_ms=100.0),
        optim=SequenceOptim(lr=5e-3, delay_lr=0.1),
        budget=Budget(epochs=32, batch_size=64, patience=15),
        augment=SequenceAugment(shift_channels=2, mask_channels=6, mask_steps=15),
    )


def words20() -> SequenceRecipe:
    """The 20 words of the usual keyword tasks: digits, yes and no, directions, start, stop, open, close."""
    main = recipe()
    return replace(with_model(main, outputs=20), data=CommandsData(COMMANDS_MEL, words=20))


def none() -> SequenceRecipe:
    """The same without delays."""
    return with_model(recipe(), delays="none")


def random() -> SequenceRecipe:
    """The same with delays that stay at their random start."""
    return with_model(recipe(), delays="random")


def axonal() -> SequenceRecipe:
    """The same with one delay per neuron instead of one per synapse."""
    return with_model(recipe(), granularity="axonal")


def early() -> SequenceRecipe:
    """The same, with half of the loss on every step, for early decisions with exit rules."""
    return replace(recipe(), early=0.5)
