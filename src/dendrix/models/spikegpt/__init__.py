"""SpikeGPT: network, initialisation, released checkpoints, classifier, and the models of transformers."""
