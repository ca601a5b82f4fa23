"""Sparse distributed representations: exact error rates, inverse design, simulation, overlap search and statistics. No torch."""

from .probability import false_negative as false_negative
from .probability import false_positive as false_positive
from .probability import set_false_positive as set_false_positive
from .unions import union_false_negative as union_false_negative
from .unions import union_false_positive as union_false_positive
from .unions import union_size as union_size
