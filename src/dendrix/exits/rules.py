"""Every exit rule by name."""

from .budget import Budget
from .entropy import Entropy
from .margin import Margin
from .max_probability import MaxProbability
from .patience import Patience
from .rule import Rule

RULES: dict[str, type[Rule]] = {
    "max-probability": MaxProbability,
    "margin": Margin,
    "entropy": Entropy,
    "patience": Patience,
    "budget": Budget,
}
"""Every rule by the name that a policy file and the command line use."""
