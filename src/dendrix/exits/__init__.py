"""Stop each inference as soon as it is sure: rules, records, fits with a guarantee, and a runner that really stops."""

from .bounds import CONVENTIONS as CONVENTIONS
from .bounds import Curve as Curve
from .bounds import average_exit_time as average_exit_time
from .bounds import optimal_cutoff as optimal_cutoff
from .bounds import oracle_curve as oracle_curve
from .bounds import policy_curve as policy_curve
from .bounds import static_curve as static_curve
from .batching import Answer as Answer
from .budget import Budget as Budget
from .calibration import Calibration as Calibration
from .calibration import Interval as Interval
from .calibration import auroc as auroc
from .calibration import bootstrap as bootstrap
from .calibration import calibration as calibration
from .calibration import ece as ece
from .calibration import failure_prediction as failure_prediction
from .decide import Decisions as Decisions
from .decide import decide as decide
from .decide import scores as scores
from .entropy import Entropy as Entropy
from .margin import Margin as Margin
from .max_probability import MaxProbability as MaxProbability
from .network import expect_explicit_state as expect_explicit_state
from .network import fingerprint as fingerprint
from .network import record as record
from .patience import Patience as Patience
from .record import Record as Record
from .rule import Rule as Rule
from .rule import RuleState as RuleState
from .run import Answers as Answers
from .run import follow as follow
from .run import run as run
from .run import serve as serve

RULES: dict[str, type[Rule]] = {
    "max-probability": MaxProbability,
    "margin": Margin,
    "entropy": Entropy,
    "patience": Patience,
    "budget": Budget,
}
"""Every rule by the name that a policy file and the command line use."""
