"""One decoding step of SpikeGPT from packed weights."""
