"""A trained network becomes a spiking one, with an audit of what happened to it."""
