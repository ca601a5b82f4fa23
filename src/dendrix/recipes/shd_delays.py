"""The Spiking Heidelberg Digits: the network and the training of DCLS-Delays, clean and as published.

In the published protocol the test clips choose the epoch, the padding of a batch counts as input, spike times are binned in float16, and
each layer appends silence to its input. In the other recipes a fifth of the training clips chooses the epoch, and the clip is followed by
the same duration of silence; all else is equal.

Source: Hammouamri, Khalfaoui-Hassani & Masquelier (2024), arXiv 2306.17670, and its released configuration. Queant, Rancon,
Cottereau & Masquelier (2025), "DelRec", arXiv 2509.24852, and its code, for the variant `recurrent`. The network of that paper has another
normalisation, another read-out and a learned width per neuron, so none of its numbers is claimed.
"""

from dataclasses import replace

from ..models import Decision, published_shd
from ..train.sequence.data import ShdData
from ..train.sequence.recipe import Budget, SequenceOptim, SequenceRecipe
from .variants import with_model

EPOCHS = 150


def recipe() -> SequenceRecipe:
    """Spiking Heidelberg Digits, learned delays: the network and training of DCLS-Delays, epoch chosen on training clips."""
    return SequenceRecipe(
        data=ShdData(),
        model=published_shd(),
        decision=Decision(accumulation="softmax-sum", tail_ms=360.0),
        optim=SequenceOptim(lr=5e-3, delay_lr=0.1, weight_decay=1e-5, clip=None, moves="epoch", cycle_beta1=True),
        budget=Budget(epochs=EPOCHS, batch_size=256, anneal=(EPOCHS // 4) / EPOCHS, pool=1, patience=EPOCHS),
    )


def published() -> SequenceRecipe:
    """The same as published: the test clips choose the epoch, so the result is no estimate for new clips."""
    main = recipe()
    return replace(
        with_model(main, padding="published"),
        data=ShdData(half_precision=True, held_out="test"),
        decision=Decision(accumulation="softmax-sum", padded=True),
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


def recurrent() -> SequenceRecipe:
    """No delays between the layers but learned ones within them, after DelRec, without its augmentation."""
    main = with_model(
        recipe(), delays="none", decay=1 - 1 / 1.05, recurrent_delay_ms=500.0, recurrent_start_ms=150.0, recurrent_dropout=0.2
    )
    optim = replace(main.optim, delay_lr=0.05)
    return replace(main, optim=optim, budget=replace(main.budget, anneal=1.0))
