"""Fits of exit policies to recorded outputs: goals, scales, thresholds per step, guarantees."""
