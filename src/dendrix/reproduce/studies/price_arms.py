"""Arms of the study of the price of spikes: what each changes, its learning rates, and the rule by which arms are dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...models.spikegpt.neurons import PUBLISHED, NeuronConfig
from ...recipes import find_recipe
from ...train.text.recipe import TextBudget, TextLoss, TextRecipe

BATCH, CONTEXT, SEEDS = 8, 256, (0, 1, 2)
VALID_TOKENS = 100_000
PIECES = 46_570
"""As many word pieces as VALID_TOKENS bytes of the validation novels."""


@dataclass(frozen=True)
class Stage:
    """Length and size of the trainings of a stage."""

    name: str
    steps: int
    width: int | None = None
    """Channels of the network; None for those of the recipe, 1.1 million parameters."""


SCREENING = Stage("screening", 300)
LADDER = Stage("ladder", 1200)
"""As long as the trainings of the study `spikegpt-small`."""
LARGE = Stage("large", 4800, 320)
"""4.2 million parameters, and four times the tokens of the ladder."""
TEACHER, REFERENCE, HOLDING = "continuous", "inputs", "held"
CONTROL = "continuous-taught"
"""The network without spikes that learns from another of its kind, as those with spikes do."""
HELD = 0.1
"""Target of the rate of spikes in arms that hold it, a tenth below the goal of 11 %."""
GAIN, MORE, SPARSER, MARGIN = 0.005, 0.1, 0.85, 0.005
"""Limits of the rule for dropping arms, see `survives`."""


@dataclass(frozen=True)
class Arm:
    """A network or training that differs from another arm in one thing."""

    recipe: str
    """Name of the recipe that it changes."""
    says: str
    """What is changed."""
    neurons: NeuronConfig = PUBLISHED
    model: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the network's configuration."""
    rate: float | None = None
    """Target of the rate of spikes."""
    final_alpha: float | None = None
    """Sharpness of the surrogate at the end of the training."""
    taught: bool = False
    """Whether the continuous network of the same seed and learning rate is its teacher."""
    warm_up: float = 1 / 6
    """Share of the steps in which the learning rate rises."""
    reads: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the data and of the budget: the text is read in another way, so that the arm is compared with its own control only."""
    rates: tuple[float, ...] = (5e-3, 1e-2)
    """Peak learning rates; the best one on validation bytes counts."""
    of: str = ""
    """Arm with which it is compared, and without which it is not dropped; empty for those that every other is compared with."""

    @property
    def changed(self) -> dict[str, Any]:
        """Fields of the network and of its neurons that differ from the recipe, by name."""
        own = {name: value for name, value in vars(self.neurons).items() if value != getattr(PUBLISHED, name)}
        return {**own, **self.model}


_INPUTS, _CONTINUOUS = "spikegpt-small:inputs", "spikegpt-small:continuous"
_VARYING = "decay of WKV that depends on the data, of rank 16"
_LOCAL = "local attention over 16 tokens, four heads gated by "
_LONG = "windows of 1,024 bytes, two in a batch"
_LONGER = {"context": 4 * CONTEXT, "batch_size": BATCH // 4}
_PIECES = "512 word pieces instead of bytes, a narrower network of the same size"
_IN_PIECES = {"tokenizer": "learned", "vocabulary": 512, "valid_tokens": PIECES}
_NARROWER = {"vocab_size": 512, "width": 150}
_START = {"init_std": 0.08}
_WIDER = (1e-3, 3e-3, 1e-2)
"""Learning rates of the baselines, which get more of them than the networks of this project."""


def _changed(says: str, **changes: Any) -> Arm:
    return Arm(_INPUTS, says, of=REFERENCE, **changes)


ARMS: dict[str, Arm] = {
    TEACHER: Arm(_CONTINUOUS, "no spikes"),
    REFERENCE: Arm(_INPUTS, "spikes before every product"),
    "spiking": Arm("spikegpt-small", "spikes behind each half of a block, as published"),
    "held": _changed(f"rate of spikes held at {HELD:.0%}", rate=HELD),
    "scales": _changed("threshold and amplitude of each channel learned", neurons=NeuronConfig(scales=True)),
    "decays": _changed("membrane decay of each channel learned", neurons=NeuronConfig(decays=True)),
    "sharp": _changed("surrogate twice as sharp, alpha 4", neurons=NeuronConfig(alpha=4.0)),
    "wide": _changed("surrogate half as sharp, alpha 1", neurons=NeuronConfig(alpha=1.0)),
    "sharpened": _changed("surrogate from alpha 1 to 4 over the training", neurons=NeuronConfig(alpha=1.0), final_alpha=4.0),
    "varying": _changed(_VARYING, model={"decay_rank": 16}),
    "local": _changed(_LOCAL + "spikes", model={"window": 16}),
    "continuous-varying": Arm(_CONTINUOUS, f"control without spikes: {_VARYING}", model={"decay_rank": 16}, of=TEACHER),
    "continuous-local": Arm(_CONTINUOUS, f"control without spikes: {_LOCAL}sigmoids", model={"window": 16}, of=TEACHER),
    "taught": _changed("half of the loss from the predictions of the continuous twin", taught=True),
    CONTROL: Arm(_CONTINUOUS, "control without spikes: half of the loss from the predictions of the same network", taught=True, of=TEACHER),
    "spiking-norm": Arm("spikegpt-small", "a norm before the published neurons", NeuronConfig(norm=True), of="spiking"),
    "gpt2": Arm("spikegpt-small:gpt2", "GPT-2 of transformers, head not tied", rates=_WIDER),
    "gpt2-tied": Arm("spikegpt-small:gpt2", "head tied to the embedding", model={"tied": True}, rates=_WIDER, of="gpt2"),
    "gpt2-start": Arm("spikegpt-small:gpt2", "initial weights of 0.08, 1 / sqrt(width)", model=_START, rates=_WIDER, of="gpt2"),
    "gpt2-warm": Arm(
        "spikegpt-small:gpt2", "the same, warmed up for half of the steps", model=_START, warm_up=0.5, rates=_WIDER, of="gpt2-start"
    ),
    "lstm": Arm("spikegpt-small:lstm", "LSTM of two layers", rates=_WIDER),
    "ternary": _changed("spikes of both signs", neurons=NeuronConfig(signed=True)),
    "counts": _changed("up to two spikes of a neuron for a token", neurons=NeuronConfig(levels=2)),
    "counts-held": Arm(_INPUTS, f"up to two spikes, the rate held at {HELD:.0%}", NeuronConfig(levels=2), rate=HELD, of=HOLDING),
    "counts-4-held": Arm(_INPUTS, f"up to four spikes, the rate held at {HELD:.0%}", NeuronConfig(levels=4), rate=HELD, of=HOLDING),
    "separate": _changed("neurons of its own for each product, behind the token shift", neurons=NeuronConfig(separate=True)),
    "separate-held": Arm(_INPUTS, f"the same, the rate held at {HELD:.0%}", NeuronConfig(separate=True), rate=HELD, of=HOLDING),
    "continuous-long": Arm(_CONTINUOUS, f"control without spikes: {_LONG}", reads=_LONGER, of=TEACHER),
    "long": _changed(_LONG, reads=_LONGER),
    "continuous-pieces": Arm(_CONTINUOUS, f"control without spikes: {_PIECES}", model=_NARROWER, reads=_IN_PIECES, of=TEACHER),
    "pieces": _changed(_PIECES, model=_NARROWER, reads=_IN_PIECES),
}
"""All arms of the screening, in the order in which they are trained. Counts and separate neurons were added when most others were
trained; GPT-2 with a longer warm-up, the control of `taught` and those that read in another way after the ladder."""


def recipe_of(arm: Arm, stage: Stage, lr: float, seed: int, teacher: Path) -> TextRecipe:
    """Return the recipe of a training.

    Args:
        arm: what is trained.
        stage: size and length.
        lr: peak learning rate.
        seed: seed of the training.
        teacher: run of the continuous network, for arms that are taught.
    """
    recipe = find_recipe(arm.recipe)()
    assert isinstance(recipe, TextRecipe)
    changes = dict(arm.model) if stage.width is None else {**arm.model, "width": stage.width}
    if arm.neurons != PUBLISHED:
        changes["neurons"] = arm.neurons
    model: Any = recipe.model
    plain = TextBudget(stage.steps, stage.steps // 2, batch_size=BATCH, context=CONTEXT, valid_tokens=VALID_TOKENS, sample_tokens=0)
    read: tuple[Any, Any] = plain, recipe.data
    budget, data = (replace(part, **{name: value for name, value in arm.reads.items() if hasattr(part, name)}) for part in read)
    optim = replace(recipe.optim, lr=lr, warm_up=round(arm.warm_up * stage.steps))
    loss = TextLoss(rate=arm.rate, teacher=teacher if arm.taught else None, final_alpha=arm.final_alpha)
    return replace(recipe, data=data, model=replace(model, **changes), optim=optim, budget=budget, loss=loss, seed=seed)


def survives(arm: Mapping[str, Any], reference: Mapping[str, Any]) -> bool:
    """Return whether an arm is trained further, by a rule that was written before the first training.

    It needs at least 0.5 % fewer bits on validation bytes at no more spikes per input than the reference (up to a tenth more), or at least
    15 % fewer spikes at no more bits (up to 0.5 % more).

    Args:
        arm: outcome with the keys "valid", in bits per byte, and "rate", in spikes per input, which is None without spikes.
        reference: outcome of the arm that it changes.
    """
    bits, spikes = arm["valid"] / reference["valid"], arm["rate"] / reference["rate"] if reference["rate"] else 1.0
    return bool((bits <= 1 - GAIN and spikes <= 1 + MORE) or (spikes <= SPARSER and bits <= 1 + MARGIN))


def combined(names: Sequence[str]) -> Arm:
    """Return the arm with all changes of several arms of the network with spikes before every product.

    Args:
        names: keys of `ARMS`, of which no two change the same field.
    """
    arms = [ARMS[name] for name in names]
    changes = {name: value for arm in arms for name, value in arm.changed.items()}
    return Arm(
        ARMS[REFERENCE].recipe,
        " and ".join(arm.says for arm in arms),
        NeuronConfig(**{name: value for name, value in changes.items() if hasattr(PUBLISHED, name)}),
        {name: value for name, value in changes.items() if not hasattr(PUBLISHED, name)},
        next((arm.rate for arm in arms if arm.rate is not None), None),
        next((arm.final_alpha for arm in arms if arm.final_alpha is not None), None),
        any(arm.taught for arm in arms),
    )
