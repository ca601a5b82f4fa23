"""Inputs of a whole network, each run to its exit."""
