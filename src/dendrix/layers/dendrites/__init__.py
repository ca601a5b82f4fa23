"""Dendritic segments, active dendrites, and their predicted error rates."""
