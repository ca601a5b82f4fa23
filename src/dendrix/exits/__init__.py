"""Early exits: rules that stop each input once its answer is clear, fitted to recorded outputs, and a runner that applies them."""

from ..errors import NoCertificateError
from .auditing import Audited, audit
from .batching import Answer
from .decisions import Decisions, decide, scores
from .fitting.fitter import fit
from .fitting.goals import Goal, MeanSteps, Pareto, pareto_front
from .fitting.groups import KnownGroupsGuarantee, NewGroupGuarantee
from .fitting.guarantee import Guarantee, smallest_eps
from .fitting.over_time import OverTimeGuarantee
from .fitting.parts import Parts
from .fitting.resplits import Resplits, resplits
from .fitting.scale import best_scale
from .losses import exit_losses, prediction_sets
from .monitor import Monitor
from .network import expect_explicit_state, fingerprint
from .policy import GOALS, Policy
from .recorder import record_outputs
from .records import ExitRecord
from .reporting.bounds import CONVENTIONS, Curve, average_exit_time, optimal_cutoff, oracle_curve, policy_curve, static_curve
from .reporting.breakdown import PartFigures, by_group, by_stopping_time
from .reporting.calibration import Calibration, Interval, auroc, bootstrap, calibration, ece, exact_interval, failure_prediction
from .reporting.comparison import RuleFigures
from .reporting.display import save_report_figure, tables
from .reporting.reporter import Report, report
from .rules.base import ExitRule, RuleState
from .rules.entropy import Entropy
from .rules.fixed_steps import FixedSteps
from .rules.integer_margin import IntegerMargin
from .rules.integer_probability import IntegerProbability
from .rules.margin import Margin
from .rules.max_probability import MaxProbability
from .rules.names import RULES
from .rules.patience import Patience
from .rules.prediction_set import PredictionSet
from .runner import Answers, follow, run, serve

__all__ = [
    "CONVENTIONS",
    "GOALS",
    "RULES",
    "Answer",
    "Answers",
    "Audited",
    "Calibration",
    "Curve",
    "Decisions",
    "Entropy",
    "ExitRecord",
    "ExitRule",
    "FixedSteps",
    "Goal",
    "Guarantee",
    "IntegerMargin",
    "IntegerProbability",
    "Interval",
    "KnownGroupsGuarantee",
    "Margin",
    "MaxProbability",
    "MeanSteps",
    "Monitor",
    "NewGroupGuarantee",
    "NoCertificateError",
    "OverTimeGuarantee",
    "Pareto",
    "PartFigures",
    "Parts",
    "Patience",
    "Policy",
    "PredictionSet",
    "Report",
    "Resplits",
    "RuleFigures",
    "RuleState",
    "audit",
    "auroc",
    "average_exit_time",
    "best_scale",
    "bootstrap",
    "by_group",
    "by_stopping_time",
    "calibration",
    "decide",
    "ece",
    "exact_interval",
    "exit_losses",
    "expect_explicit_state",
    "failure_prediction",
    "fingerprint",
    "fit",
    "follow",
    "optimal_cutoff",
    "oracle_curve",
    "pareto_front",
    "policy_curve",
    "prediction_sets",
    "record_outputs",
    "report",
    "resplits",
    "run",
    "save_report_figure",
    "scores",
    "serve",
    "smallest_eps",
    "static_curve",
    "tables",
]
