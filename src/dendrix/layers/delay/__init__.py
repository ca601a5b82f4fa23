"""Synapses with delays: feed-forward and recurrent layers, training helpers, and import from DCLS."""
