"""Averages over the last tokens, gated by head, forward and backward."""
