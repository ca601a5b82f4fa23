"""Sparse distributed representations: exact error rates, inverse design, simulation, overlap search and statistics. No torch."""

from .correlated import CorrelatedVerification as CorrelatedVerification
from .correlated import correlated_patterns as correlated_patterns
from .correlated import verify_correlated as verify_correlated
from .inverse import max_noise as max_noise
from .inverse import max_set as max_set
from .inverse import min_n as min_n
from .inverse import min_s as min_s
from .inverse import union_capacity as union_capacity
from .pareto import Design as Design
from .pareto import design as design
from .probability import false_negative as false_negative
from .probability import false_positive as false_positive
from .probability import set_false_positive as set_false_positive
from .threshold import BestTheta as BestTheta
from .threshold import ThetaWindow as ThetaWindow
from .threshold import best_theta as best_theta
from .threshold import max_theta as max_theta
from .threshold import min_theta as min_theta
from .threshold import theta_window as theta_window
from .unions import union_false_negative as union_false_negative
from .unions import union_false_positive as union_false_positive
from .unions import union_size as union_size
from .verification import Verification as Verification
from .verification import verify as verify
