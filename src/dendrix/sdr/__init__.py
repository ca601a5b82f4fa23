"""Sparse distributed representations: exact error rates, inverse design, simulation, overlap search and statistics. Without torch."""

from .approximations import Approximation, binomial_approximation, chernoff_bound, compare, leading_term, power_law, set_bound
from .code import SDR, stack
from .correlated import CorrelatedVerification, correlated_patterns, verify_correlated
from .inverse import max_noise, max_set, min_n, min_s, union_capacity
from .noise import false_negative_deletion, false_negative_random, false_positive_bernoulli
from .observer import Observer, Statistics, statistics
from .pareto import Design, design
from .patterns import Packing, exact_match_probability, packing_bounds, pattern_count
from .probability import false_negative, false_positive, overlap_count, set_false_positive
from .segment_index import Matches, SegmentIndex
from .threshold import BestTheta, ThetaWindow, best_theta, max_theta, min_theta, theta_window
from .unions import union_false_negative, union_false_positive, union_size
from .verification import Verification, verify

__all__ = [
    "SDR",
    "Approximation",
    "BestTheta",
    "CorrelatedVerification",
    "Design",
    "Matches",
    "Observer",
    "Packing",
    "SegmentIndex",
    "Statistics",
    "ThetaWindow",
    "Verification",
    "best_theta",
    "binomial_approximation",
    "chernoff_bound",
    "compare",
    "correlated_patterns",
    "design",
    "exact_match_probability",
    "false_negative",
    "false_negative_deletion",
    "false_negative_random",
    "false_positive",
    "false_positive_bernoulli",
    "leading_term",
    "max_noise",
    "max_set",
    "max_theta",
    "min_n",
    "min_s",
    "min_theta",
    "overlap_count",
    "packing_bounds",
    "pattern_count",
    "power_law",
    "set_bound",
    "set_false_positive",
    "stack",
    "statistics",
    "theta_window",
    "union_capacity",
    "union_false_negative",
    "union_false_positive",
    "union_size",
    "verify",
    "verify_correlated",
]
