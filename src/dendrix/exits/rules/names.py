"""Every exit rule by name."""

from .base import ExitRule
from .entropy import Entropy
from .fixed_steps import FixedSteps
from .margin import Margin
from .max_probability import MaxProbability
from .patience import Patience

RULES: dict[str, type[ExitRule]] = {
    "max-probability": MaxProbability,
    "margin": Margin,
    "entropy": Entropy,
    "patience": Patience,
    "fixed-steps": FixedSteps,
}
"""Every rule by the name that a policy file and the command line use."""


def name_of(rule: ExitRule) -> str:
    """The name of a rule; of one that is not in the table, that of its class."""
    return next((name for name, kind in RULES.items() if type(rule) is kind), type(rule).__name__)


def in_words(rule: ExitRule) -> str:
    """A rule in a few words: its name and its threshold."""
    several = len(rule.thresholds) > 1
    return f"{name_of(rule)}, {'a threshold for every step' if several else f'threshold {rule.thresholds[0]:.6g}'}"
