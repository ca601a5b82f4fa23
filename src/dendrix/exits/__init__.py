"""Stop each inference as soon as it is sure: rules, records, fits with a guarantee, and a runner that really stops."""

from .budget import Budget as Budget
from .decide import Decisions as Decisions
from .decide import decide as decide
from .decide import scores as scores
from .entropy import Entropy as Entropy
from .margin import Margin as Margin
from .max_probability import MaxProbability as MaxProbability
from .patience import Patience as Patience
from .record import Record as Record
from .rule import Rule as Rule
from .rule import RuleState as RuleState

RULES: dict[str, type[Rule]] = {
    "max-probability": MaxProbability,
    "margin": Margin,
    "entropy": Entropy,
    "patience": Patience,
    "budget": Budget,
}
"""Every rule by the name that a policy file and the command line use."""
