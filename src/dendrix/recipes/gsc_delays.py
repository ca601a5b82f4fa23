"""Google Speech Commands: the largest network and the training of DCLS-Delays, clean and as published.

The input is the published mel spectrogram in decibels, and the official validation clips choose the epoch. In the published protocol each
layer appends silence to its input; in the other recipes the clip is followed by the same duration of silence.

Source: Hammouamri, Khalfaoui-Hassani & Masquelier (2024), arXiv 2306.17670, and its released configuration. Queant, Rancon,
Cottereau & Masquelier (2025), "DelRec", arXiv 2509.24852, and its code, for the variant `recurrent`. The network of that paper has another
normalisation, another read-out and a learned width per neuron, so none of its numbers is claimed.
"""

from dataclasses import replace

from ..data import PublishedMel
from ..models import Decision, delrec_commands, published_commands
from ..train.sequence.data import SpeechCommandsData
from ..train.sequence.recipe import Budget, SequenceOptim, SequenceRecipe
from .variants import with_model

EPOCHS = 100


def recipe() -> SequenceRecipe:
    """Google Speech Commands, 35 words, learned delays: three layers, two synapses for each pair, trained as DCLS-Delays."""
    return SequenceRecipe(
        data=SpeechCommandsData(PublishedMel(), exactly_s=1.0),
        model=published_commands(),
        decision=Decision(accumulation="softmax-sum", tail_ms=600.0),
        optim=SequenceOptim(lr=5e-3, delay_lr=0.1, weight_decay=1e-5, clip=None, moves="epoch", cycle_beta1=True),
        budget=Budget(epochs=EPOCHS, batch_size=128, anneal=(EPOCHS // 4) / EPOCHS, pool=1, patience=EPOCHS),
    )


def published() -> SequenceRecipe:
    """The same as published: every layer appends silence."""
    main = recipe()
    return replace(with_model(main, padding="published"), decision=Decision(accumulation="softmax-sum", padded=True))


def released() -> SequenceRecipe:
    """As published with one synapse for each pair, the configuration that was released."""
    return with_model(published(), kernel_count=1)


def none() -> SequenceRecipe:
    """The same without delays, one synapse for each pair."""
    return with_model(recipe(), delays="none", kernel_count=1)


def random() -> SequenceRecipe:
    """The same with delays that stay at their random start."""
    return with_model(recipe(), delays="random")


def axonal() -> SequenceRecipe:
    """The same with one delay per neuron instead of two per pair."""
    return with_model(recipe(), granularity="axonal", kernel_count=1)


def recurrent() -> SequenceRecipe:
    """Three layers of 256 without delays between them and with learned delays within them, as DelRec for the Spiking Speech Commands."""
    main = recipe()
    optim = replace(main.optim, lr=1e-3, delay_lr=0.05)
    return replace(
        main,
        model=delrec_commands(),
        decision=Decision(accumulation="mean", tail_ms=100.0),
        optim=optim,
        budget=replace(main.budget, anneal=1.0),
    )
