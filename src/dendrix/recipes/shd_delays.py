"""The Spiking Heidelberg Digits: the network and the training of DCLS-Delays, clean and as published.

The published protocol chooses the epoch on the clips for testing, lets the padding of a batch count, and bins times in float16. The
recipes without that name differ from it there alone: they choose on a fifth of the training clips, and they hear as much silence after a
clip as the published layers append.

Source: Hammouamri, Khalfaoui-Hassani & Masquelier (2024), arXiv 2306.17670, and its released configuration. Queant, Rancon,
Cottereau & Masquelier (2025), "DelRec", arXiv 2509.24852, and its code, for the variant `recurrent`; its network normalises and reads out
otherwise, its learned width per neuron is left out, and so no number of that paper is claimed.
"""

from dataclasses import replace

from ..models import Decision, published_shd
from ..train.sequence.data import ShdData
from ..train.sequence.recipe import Budget, SequenceOptim, SequenceRecipe
from .variants import with_model

_EPOCHS = 150


def recipe() -> SequenceRecipe:
    """Spiking Heidelberg Digits, learned delays: the network and training of DCLS-Delays, epoch chosen on training clips."""
    return SequenceRecipe(
        data=ShdData(),
        model=published_shd(),
        decision=Decision(accumulation="softmax-sum", tail_ms=360.0),
        optim=SequenceOptim(lr=5e-3, delay_lr=0.1, weight_decay=1e-5, clip=None, moves="epoch", cycle_beta1=True),
        budget=Budget(epochs=_EPOCHS, batch_size=256, anneal=(_EPOCHS // 4) / _EPOCHS, pool=1, patience=_EPOCHS),
    )


def published() -> SequenceRecipe:
    """The same as published: the clips for testing choose the epoch, so the result is no estimate for new clips."""
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
