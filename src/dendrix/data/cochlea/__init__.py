"""Cochlea models: audio to spikes of the auditory pathway."""
