"""Sparse distributed representations: exact error rates, inverse design, simulation, overlap search and statistics. No torch."""
