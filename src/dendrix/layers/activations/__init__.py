"""Activations of networks for conversion to spikes, and of SpikeGPT."""
