"""Table of the exit rules by name."""

from .base import ExitRule
from .entropy import Entropy
from .fixed_steps import FixedSteps
from .integer_margin import IntegerMargin
from .integer_probability import IntegerProbability
from .margin import Margin
from .max_probability import MaxProbability
from .patience import Patience
from .prediction_set import PredictionSet

RULES: dict[str, type[ExitRule]] = {
    "max-probability": MaxProbability,
    "margin": Margin,
    "entropy": Entropy,
    "patience": Patience,
    "fixed-steps": FixedSteps,
    "prediction-set": PredictionSet,
}
"""Exit rules by their names in policy files and on the command line."""

ALL_RULES: dict[str, type[ExitRule]] = {**RULES, "integer-probability": IntegerProbability, "integer-margin": IntegerMargin}
"""Also those that are fitted to a network in whole numbers when that is exported, by their names in policy files."""

SCALED = (MaxProbability, Entropy, PredictionSet)
"""Rules with a scale that divides the evidence."""


def name_of(rule: ExitRule) -> str:
    """Name of a rule; for a rule outside the table, the name of its class."""
    return next((name for name, kind in ALL_RULES.items() if type(rule) is kind), type(rule).__name__)


def in_words(rule: ExitRule) -> str:
    """Describe a rule by its name and its threshold."""
    several = len(rule.thresholds) > 1
    return f"{name_of(rule)}, {'a threshold for every step' if several else f'threshold {rule.thresholds[0]:.6g}'}"
