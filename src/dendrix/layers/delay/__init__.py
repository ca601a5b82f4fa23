"""Synapses with delays: the layer, its training, recurrent delays, and import from DCLS."""
