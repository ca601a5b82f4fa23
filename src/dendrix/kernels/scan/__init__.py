"""Fused scans: one kernel drives the step of a neuron through time, forward and backward."""
