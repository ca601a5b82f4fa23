"""Networks lowered to layers of synapses and neurons or to stages of maps, and their compiled loops over steps."""

__all__: list[str] = []
