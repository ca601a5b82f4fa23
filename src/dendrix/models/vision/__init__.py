"""Image networks that can be converted to spikes."""
