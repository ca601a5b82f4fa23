"""The Spiking Speech Commands: the largest network and the training of DCLS-Delays, clean and as published.

The official validation clips choose the epoch. In the published protocol the padding of a batch counts as input, spike times are binned in
float16, and each layer appends silence to its input; in the other recipes the clip is followed by the same duration of silence.

Source: Hammouamri, Khalfaoui-Hassani & Masquelier (2024), arXiv 2306.17670, and its released configuration. Queant, Rancon,
Cottereau & Masquelier (2025), "DelRec", arXiv 2509.24852, and its code, for the variant `recurrent`. The network of that paper has another
normalisation, another read-out and a learned width per neuron, so none of its numbers is claimed.
"""

from dataclasses import replace

from ..models import Decision, delrec_commands, published_commands
from ..train.sequence.data import SscData
from ..train.sequence.recipe import Budget, SequenceOptim, SequenceRecipe
from .variants import with_model

EPOCHS = 60


def recipe() -> SequenceRecipe:
    """Spiking Speech Commands, learned delays: three layers, two synapses for each pair, trained as DCLS-Delays."""
    return SequenceRecipe(
        data=SscData(),
        model=published_commands(),
        decision=Decision(accumulation="softmax-sum", tail_ms=600.0),
        optim=SequenceOptim(lr=5e-3, delay_lr=0.1, weight_decay=1e-5, clip=None, moves="epoch", cycle_beta1=True),
        budget=Budget(epochs=EPOCHS, batch_size=128, anneal=(EPOCHS // 4) / EPOCHS, pool=1, patience=EPOCHS),
    )


def published() -> SequenceRecipe:
    """The same as published: the padding of a batch counts."""
    main = recipe()
    return replace(
        with_model(main, padding="published"),
        data=SscData(half_precision=True),
        decision=Decision(accumulation="softmax-sum", padded=True),
    )


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
    """Three layers of 256 with learned delays only within them, as in DelRec: shorter steps, soft reset, another surrogate."""
    main = recipe()
    return replace(
        main,
        data=SscData(dt_ms=5.6),
        model=replace(delrec_commands(), dt_ms=5.6),
        decision=Decision(accumulation="mean", tail_ms=100.0),
        optim=replace(main.optim, lr=1e-3, delay_lr=0.05),
        budget=replace(main.budget, epochs=100, anneal=1.0, patience=100),
    )
