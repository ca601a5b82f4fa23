"""Activations of networks that will be converted to spikes, and of SpikeGPT."""
