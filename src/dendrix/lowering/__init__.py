"""Networks lowered to layers of synapses and neurons, and their compiled loop over steps."""

__all__: list[str] = []
