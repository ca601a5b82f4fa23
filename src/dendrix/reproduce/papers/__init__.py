"""Reproductions of published results, each number beside its source."""
